"""A flood on one feed, a macro frame on another: does the one delay the other?

    python -m bench.flood [--seconds N] [--json FILE]

First the macro frames alone, then with a flood that offers three times what
one session was measured to take. Frames are written as ready-made bytes, so
that the sender is faster than any receiver.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from bench.wire_to_wire import PROFILE, Bench, config, listing, show_last, spread
from lowcap.paper.contracts import listed_contracts
from tests.long.rig import Process, call, wait_ready

OFFERED_TIMES = 3
WARM_S, IDLE_FRAMES, PACE_S = 4.0, 90, 0.25
BATCH = 50
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Flooder:
    """A bare WebSocket server for one client; counts what it could and could not hand over."""

    def __init__(self) -> None:
        self.sent = 0
        self.refused = 0
        self.port = 0
        self._stream: trio.SocketStream | None = None
        self._number = 0

    async def run(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; ``started`` with the port."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                partial(trio.serve_tcp, self._handle, 0, host="127.0.0.1")
            )
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started(self.port)

    async def _handle(self, stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += bytes(await stream.receive_some(4_096))
        key = next(
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._stream = stream
        while await stream.receive_some(65_536):  # its pings and logins
            pass

    @property
    def is_connected(self) -> bool:
        """Whether the daemon has come."""
        return self._stream is not None

    def _batch(self) -> bytes:
        """Frames of harmless news, one in fifty a near miss."""
        now_ms = int(time.time() * 1000)
        frames = []
        for place in range(BATCH):
            self._number += 1
            title = (
                "TERMINAL: Lakeshore files S-1 for a trust" if not place else "BLOG: nothing new"
            )
            payload = json.dumps(
                {
                    "_id": f"{now_ms}n{self._number}",
                    "title": f"{title} {self._number} " + "and so on " * 28,
                    "source": "Blogs",
                    "url": f"https://news.example/{self._number}",
                    "time": now_ms,
                }
            ).encode()
            frames.append(b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload)
        return b"".join(frames)

    async def offer(self, per_s: float, seconds: float) -> None:
        """Offer frames at a rate; what does not fit into its time is refused, not queued."""
        if self._stream is None:
            raise AssertionError("nobody has connected")
        start_s = trio.current_time()
        offered = 0.0
        while (passed_s := trio.current_time() - start_s) < seconds:
            due = per_s * passed_s
            if due - offered > BATCH * 20:  # the receiver does not take them: dropped here
                self.refused += int(due - offered) - BATCH * 20
                offered = due - BATCH * 20
            if due < offered:
                await trio.sleep((offered - due) / per_s)
                continue
            offered += BATCH
            await self._stream.send_all(self._batch())
            self.sent += BATCH


async def macro_times(
    bench: Bench, folder: Path, frames: int, done: trio.Event | None
) -> list[float]:
    """Wire to wire microseconds of listings, until enough or ``done``."""
    coins = [s.removesuffix("USDT") for s in listed_contracts() if not s.startswith("1")]
    coins.remove("BTC")
    found: list[float] = []
    while len(found) < frames and not (done is not None and done.is_set()):
        place = len(found) % 18
        found.append(await bench.measure("tokyo", listing(coins[place], len(found))))
        if place == 17:
            await trio.to_thread.run_sync(lambda: call(folder, "close", all=True, confirm=True))
        await trio.sleep(PACE_S)
    return found


def feed_frames(folder: Path) -> int:
    """Frames of the flooded feed that the daemon has counted."""
    rows = {row["name"]: row for row in call(folder, "feeds")}
    return int(rows["toa_news"]["frames"])


async def run(seconds: float) -> dict[str, Any]:
    """Both measurements, and every frame accounted for."""
    bench, flood = Bench(), Flooder()
    with tempfile.TemporaryDirectory(prefix="lowcap-flood-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            port = await nursery.start(bench.exchange.run)
            feed_port = await nursery.start(bench.feeds.run)
            await nursery.start(flood.run)
            profile = PROFILE | {
                "feed": {
                    "tokyo": {"url": f"ws://127.0.0.1:{feed_port}/tokyo", "auth": "none"},
                    # The bare server answers no protocol pings.
                    "toa_news": {
                        "url": f"ws://127.0.0.1:{flood.port}/",
                        "auth": "none",
                        "ping_s": 300,
                    },
                }
            }
            path = config(folder, port, feed_port, profile)
            daemon = Process(folder, "daemon", "run", "--config", str(path))
            try:
                await trio.to_thread.run_sync(wait_ready, folder)
                while not (bench.feeds.clients("tokyo") and flood.is_connected):
                    await trio.sleep(0.05)
                result = await measure(bench, flood, daemon, folder, seconds)
            except* trio.TooSlowError:
                show_last(folder)
                raise
            finally:
                await trio.to_thread.run_sync(daemon.stop)
            nursery.cancel_scope.cancel()
        return result


async def measure(
    bench: Bench, flood: Flooder, daemon: Process, folder: Path, seconds: float
) -> dict[str, Any]:
    """Idle, then what a session takes, then three times as much."""
    idle = await macro_times(bench, folder, IDLE_FRAMES, None)
    await flood.offer(1e9, WARM_S)
    await settle(flood, folder)
    sustained = flood.sent / WARM_S
    rss_before = daemon.rss_kib()
    done, flooded = trio.Event(), []
    before, flood.refused = flood.sent, 0

    async def macro() -> None:
        flooded.extend(await macro_times(bench, folder, 100_000, done))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(macro)
        await flood.offer(sustained * OFFERED_TIMES, seconds)
        done.set()
    await settle(flood, folder)
    status = await trio.to_thread.run_sync(lambda: call(folder, "status"))
    offered = flood.sent - before + flood.refused
    return {
        "seconds": seconds,
        "sustained_per_s": round(sustained),
        "offered": offered,
        "offered_times": round(offered / seconds / sustained, 1),
        "refused_by_the_sender": flood.refused,
        "sent": flood.sent,
        "received": await trio.to_thread.run_sync(feed_frames, folder),
        "judged": status["judged"],
        "frames_unrecorded": status["frames_unrecorded"],
        "macro_idle_us": spread(idle),
        "macro_flooded_us": spread(flooded) | {"frames": len(flooded)},
        "p99_above_idle_ms": round((spread(flooded)["p99"] - spread(idle)["p99"]) / 1000, 2),
        "rss_mib": [round(rss_before / 1024, 1), round(daemon.rss_kib() / 1024, 1)],
    }


async def settle(flood: Flooder, folder: Path) -> None:
    """Until everything sent has been counted."""
    with trio.fail_after(60):
        while await trio.to_thread.run_sync(feed_frames, folder) < flood.sent:
            await trio.sleep(0.2)


def show(result: dict[str, Any]) -> None:
    """The figures."""
    print(f"one session takes {result['sustained_per_s']} frames/s")
    print(
        f"offered {result['offered']} in {result['seconds']:g} s "
        f"({result['offered_times']} times as many); the sender kept back "
        f"{result['refused_by_the_sender']} that did not fit"
    )
    print(f"sent {result['sent']} (with the warm-up), received {result['received']}")
    print(f"judged: {result['judged']}; not recorded singly {result['frames_unrecorded']}")
    for name in ("macro_idle_us", "macro_flooded_us"):
        values = result[name]
        print(f"{name:<18} p50 {values['p50']:>9.1f}  p99 {values['p99']:>9.1f} µs")
    print(f"p99 above idle: {result['p99_above_idle_ms']} ms")
    print(f"resident memory before and after: {result['rss_mib'][0]}, {result['rss_mib'][1]} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = trio.run(run, options.seconds)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
