"""A capture with faults, played: under virtual time, over sockets, and by the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from feedserver_kit import AT_MS, Listener, Serving, serving, until
from trio.testing import MockClock

from lowcap.core.clock import LoopClock, SystemClock
from lowcap.core.errors import ConnectionLost
from lowcap.net.net import SocketNet
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.paper.feedserver import CaptureLine, read_capture

SCRIPT = [
    {"feed": "tokyo", "t_ms": AT_MS, "frame": {"title": "one"}},
    {"stream": "x@markPrice", "t_ms": AT_MS + 500, "frame": {"s": "X", "p": "1"}},
    {"feed": "bwe", "t_ms": AT_MS + 1_000, "frame": "a sentence"},
    {"feed": "tokyo", "t_ms": AT_MS + 2_000, "fault": "stale"},
    {"feed": "tokyo", "t_ms": AT_MS + 3_000, "fault": "mute", "seconds": 4},
    {"feed": "tokyo", "t_ms": AT_MS + 5_000, "frame": {"title": "unheard"}},
    {"feed": "tokyo", "t_ms": AT_MS + 8_000, "frame": {"title": "two"}},
    {"feed": "tokyo", "t_ms": AT_MS + 9_000, "fault": "drop"},
]


def script(folder: Path, lines: list[dict[str, object]] = SCRIPT) -> Path:
    path = folder / "script.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def titles(client: Listener) -> list[str]:
    return [json.loads(frame)["title"] for frame in client.frames]


@pytest.mark.parametrize("speed", [None, 1.0, 4.0])
async def test_frames_and_faults_go_out_at_their_times(
    tmp_path: Path, speed: float | None, autojump_clock: MockClock
) -> None:
    lines = read_capture([script(tmp_path)])
    sent: list[tuple[float, str, int]] = []
    clock = LoopClock((AT_MS - 10_000) * 1_000_000)
    clock.now_ns()
    async with serving(clock=clock) as here:
        begun_s = trio.current_time()

        def on_sent(line: CaptureLine, concerned: int) -> None:
            at_s = round(trio.current_time() - begun_s, 3)
            sent.append((at_s, line.fault or "frame", concerned))

        async with trio.open_nursery() as nursery:

            async def play() -> None:
                await here.server.play(lines, speed=speed, on_sent=on_sent)

            nursery.start_soon(play)
            await trio.sleep(5)
            async with here.listener("tokyo") as client:
                await client.over.wait()
        pace, first_s = (1.0, 10.0) if speed is None else (speed, sent[0][0])
        if speed is not None:
            assert 5 <= first_s < 5.1  # when the first client came
        offsets_s = [0, 1, 2, 3, 5, 8, 9]
        assert [at_s for at_s, _, _ in sent] == pytest.approx(
            [first_s + offset_s / pace for offset_s in offsets_s], abs=0.01
        )
        assert [what for _, what, _ in sent] == [
            "frame", "frame", "stale", "mute", "frame", "frame", "drop",
        ]  # fmt: skip
        if pace == 1.0:  # a mute of 4 s lasts 4 s at any pace
            assert titles(client) == ["one", "one [272 minutes ago]", "two"]
            assert [concerned for _, _, concerned in sent] == [1, 0, 1, 1, 0, 1, 1]
        assert "1006" in client.lost


async def test_a_client_over_sockets_lives_through_the_script(tmp_path: Path) -> None:
    """Faults of every sort, and a client that comes back each time: no frame is unaccounted."""
    lines = read_capture(
        [
            script(
                tmp_path,
                [
                    {"feed": "tokyo", "t_ms": 0, "frame": {"title": "one"}},
                    {"feed": "tokyo", "t_ms": 1, "fault": "flood", "count": 500},
                    {"feed": "tokyo", "t_ms": 2_000, "fault": "close"},
                    {"feed": "tokyo", "t_ms": 2_000, "fault": "refuse", "seconds": 0.2},
                    {"feed": "tokyo", "t_ms": 4_000, "fault": "duplicate", "count": 3},
                    {"feed": "tokyo", "t_ms": 4_001, "fault": "junk", "count": 5},
                    {"feed": "tokyo", "t_ms": 6_000, "fault": "drop"},
                    {"feed": "tokyo", "t_ms": 8_000, "frame": {"title": "last"}},
                ],
            )
        ]
    )
    heard: list[bytes] = []
    reasons: list[str] = []
    with trio.fail_after(60):
        async with serving(SocketNet(), SystemClock()) as here, trio.open_nursery() as nursery:
            nursery.start_soon(keep_listening, here, heard, reasons)
            await until(lambda: here.server.clients("tokyo") == 1)
            await here.server.play(lines, speed=4)
            await until(lambda: b'{"title": "last"}' in heard)
            counts = here.server.counts["tokyo"]
            assert counts.sent == len(heard)
            assert counts.sent + counts.dropped + counts.withheld == 1 + 500 + 3 + 5 + 1
            assert "1001" in reasons[0]
            assert len(reasons) >= 3
            nursery.cancel_scope.cancel()


async def keep_listening(here: Serving, heard: list[bytes], reasons: list[str]) -> None:
    """A client that comes back soon after each loss."""
    limits = WireLimits(connect_s=0.3)

    async def session(wire: Wire) -> None:
        await trio.sleep_forever()

    while True:
        try:
            await run_wire(here.net, here.url("tokyo"), heard.append, session, limits=limits)
        except ConnectionLost as error:
            reasons.append(error.message)
        await trio.sleep(0.05)


async def test_the_program_prints_frames_and_faults(tmp_path: Path) -> None:
    capture = tmp_path / "news.jsonl"
    capture.write_text('{"feed":"tokyo","t_ms":1000,"frame":{"title":"one"}}\n')
    faults = script(tmp_path, [{"feed": "tokyo", "t_ms": 2000, "fault": "stale"}])
    command = [sys.executable, "-m", "lowcap", "feedserver", str(capture), "--fault", str(faults)]
    with trio.fail_after(60):
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            output = await output_of(process.stdout, until_it_says=b"FEED'")
            port = int(output.split(b"/FEED")[0].rsplit(b":", 1)[1])
            async with trio.open_nursery() as nursery:
                url = f"ws://127.0.0.1:{port}/tokyo"
                heard: list[bytes] = []
                nursery.start_soon(listen, url, heard)
                output = await output_of(process.stdout, until_it_says=b"played")
                await until(lambda: len(heard) == 2)
                nursery.cancel_scope.cancel()
            process.terminate()
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            if process.stdout is not None:
                await trio.aclose_forcefully(process.stdout)
    assert output.split(b"\n")[:3] == [
        b"1000 tokyo: 15 bytes to 1",
        b"2000 tokyo: fault stale to 1",
        b"played",
    ]
    assert [json.loads(frame)["title"] for frame in heard] == ["one", "one [272 minutes ago]"]


async def output_of(pipe: trio.abc.ReceiveStream, *, until_it_says: bytes) -> bytes:
    """What a program prints up to some words and the end of their line."""
    said = b""
    while until_it_says not in said or not said.endswith(b"\n"):
        more = await pipe.receive_some()
        assert more, said
        said += more
    return said


async def listen(url: str, heard: list[bytes]) -> None:
    async def session(wire: Wire) -> None:
        await trio.sleep_forever()

    await run_wire(SocketNet(), url, heard.append, session, limits=WireLimits())
