"""Replaying recorded sessions: the shipped one, own ones, and what cannot be played."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from lowcap.config import load, shipped
from lowcap.core.clock import LoopClock
from lowcap.core.errors import ConfigError
from lowcap.observe.latency import OWN_STAGES
from lowcap.observe.logs import LogRing
from lowcap.observe.recorder import Recorder
from lowcap.paper.feedfaults import harmless
from lowcap.programs.replay import Session, read_session, replay_session
from lowcap.programs.replay_report import WIDTH, lines_of
from lowcap.settings import ExchangeSettings, Settings
from lowcap.terminal.table import width_of

SHIPPED = shipped("captures/payroll-morning.jsonl")
START_MS = 1_770_384_600_000
FEEDS = ("bwe", "phoenix", "synoptic", "tokyo", "toa_news", "twitter", "upbit")

Json = dict[str, Any]
Change = Callable[[Settings], Settings]


def play(session: Session, change: Change = lambda settings: settings, seed: int = 1) -> Json:
    settings, digest = load(shipped("config.toml"), {})
    return replay_session(
        session,
        change(settings),
        ring=LogRing(),
        config_hash=digest,
        seed=seed,
        show=lambda done, at_ms: None,
    )


def elon(at_ms: int, text: str) -> bytes:
    return json.dumps(
        {
            "_id": str(2_019_770_000_000_000_000 + at_ms % 10**6),
            "title": "Elon Musk (@elonmusk)",
            "body": text,
            "link": f"https://x.com/elonmusk/status/{2_019_770_000_000_000_000 + at_ms % 10**6}",
            "info": {"twitterId": "44196397", "isReply": False, "isRetweet": False},
            "time": at_ms - 30,
            "type": "direct",
        }
    ).encode()


def write_capture(path: Path, *lines: tuple[str, int, bytes]) -> Path:
    path.write_bytes(
        b"".join(
            b'{"feed":"%b","t_ms":%d,"frame":%b}\n' % (feed.encode(), t_ms, frame)
            for feed, t_ms, frame in lines
        )
    )
    return path


def mark(symbol: str, t_ms: int, price: str) -> bytes:
    line = {"stream": "x", "t_ms": t_ms, "frame": {"s": symbol, "p": price}}
    return json.dumps(line).encode() + b"\n"


def without_work(report: Json) -> Json:
    return {key: value for key, value in report.items() if key != "own_work_us"}


@pytest.fixture(scope="module")
def morning() -> Json:
    return play(read_session((SHIPPED,)))


def test_the_shipped_morning_trades_three_triggers(morning: Json) -> None:
    rows = {row["trigger"]: row for row in morning["triggers"]}
    assert {name: (row["signals"], row["trades"]) for name, row in rows.items()} == {
        "nfp_le_50k": (1, 1),
        "upbit_listing": (1, 2),
        "elon_btc": (1, 1),
    }
    assert morning["lines"] == {"synoptic": 2, "toa_news": 3, "tokyo": 7}
    assert morning["unheard"] == morning["unpriced"] == morning["alarms"] == []
    assert sum(row["count"] for row in morning["reasons"]) == 8  # the other frames, a login aside
    assert all(position["stop_price"] for position in morning["positions"])
    # The recorded price falls after the print: the first legs of the short are taken.
    assert float(rows["nfp_le_50k"]["realized_usd"]) > 0
    assert sum(float(row["fees_usd"]) for row in rows.values()) == pytest.approx(
        float(morning["total"]["fees_usd"]), abs=0.05
    )


def test_own_work_is_measured_by_the_machine(morning: Json) -> None:
    work = morning["own_work_us"]
    assert list(work) == [*OWN_STAGES, "total"]
    waits = work.pop("wait")  # only what came behind others in the same signal, or in the queue
    assert 0 < waits["count"] < 4
    for stage in work.values():
        assert stage["count"] == 4
        assert 0 < stage["p50"] <= stage["p99"]
    # A counter that moved by a step at each reading would give whole steps.
    assert any(stage["p50"] % 1 for stage in work.values())


def test_the_same_again_is_the_same(morning: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = time.monotonic  # however long the second time takes by this clock
    monkeypatch.setattr(time, "monotonic", lambda: machine() * 10_000)
    assert without_work(play(read_session((SHIPPED,)))) == without_work(morning)


def test_the_report_fits_a_terminal(morning: Json) -> None:
    lines = lines_of(morning)
    assert max(map(width_of, lines)) <= WIDTH
    text = "\n".join(lines)
    for word in ("upbit_listing", "unrealised", "total", "No trade, by reason", "p99"):
        assert word in text


def test_a_session_of_ones_own_twice(tmp_path: Path) -> None:
    """A post that trades, the same again within the cool-down, and one too old to trade."""
    path = write_capture(
        tmp_path / "own.jsonl",
        ("tokyo", START_MS, elon(START_MS, "Bitcoin is back")),
        ("tokyo", START_MS + 5_000, elon(START_MS + 5_000, "Bitcoin is still back")),
        ("tokyo", START_MS + 90_000, elon(START_MS, "Bitcoin was back")),
        ("no\\u001bwhere", START_MS + 91_000, b'"bare"'),
    )
    first, second = (play(read_session((path,)), seed=9) for _ in range(2))
    assert without_work(first) == without_work(second)
    assert [(row["trigger"], row["trades"]) for row in first["triggers"]] == [("elon_btc", 1)]
    assert sum(row["count"] for row in first["reasons"]) == 2
    assert first["unheard"] == ["no\x1bwhere"]
    assert first["unpriced"] == ["BTCUSDT"]
    assert first["positions"][0]["symbol"] == "BTCUSDT"
    text = "\n".join(lines_of(first))
    assert "not heard: no" in text
    assert "\x1b" not in text  # whoever made the capture does not command the terminal
    assert "a random walk instead: BTCUSDT" in text
    assert without_work(play(read_session((path,)), seed=10))["total"] != first["total"]


def test_recorded_prices_decide_the_result(tmp_path: Path) -> None:
    """A stop-loss that the recording's price runs into, before the session ends."""
    path = write_capture(
        tmp_path / "fall.jsonl", ("tokyo", START_MS, elon(START_MS, "Bitcoin is back"))
    )
    with path.open("ab") as file:
        file.write(mark("BTCUSDT", START_MS - 9_000, "68000"))
        file.write(mark("BTCUSDT", START_MS + 20_000, "60000"))
    report = play(read_session((path,)))
    (row,) = report["triggers"]
    assert report["positions"] == []
    assert (row["trades"], row["unrealized_usd"]) == (1, "0.00")
    assert float(row["realized_usd"]) < -1_000
    assert report["unpriced"] == []


def test_every_feed_can_be_replayed(tmp_path: Path) -> None:
    """Harmless news of each feed arrives and is judged, whatever the transport."""
    settings, _ = load(shipped("config.toml"), {})
    feeds = [feed for feed in FEEDS if feed in settings.feed]
    lines = [
        (feed, START_MS + n * 2_000, harmless(feed, n, START_MS + n * 2_000))
        for n, feed in enumerate(feeds * 3)
    ]
    report = play(read_session((write_capture(tmp_path / "all.jsonl", *lines),)), _all_feeds_on)
    assert report["unheard"] == []
    assert sum(row["count"] for row in report["reasons"]) == len(lines)
    assert not any(row["reason"] == "unusable frame" for row in report["reasons"])
    assert report["total"]["signals"] == 0


def _all_feeds_on(settings: Settings) -> Settings:
    feeds = {name: attrs.evolve(feed, enabled=True) for name, feed in settings.feed.items()}
    return attrs.evolve(settings, feed=feeds)


def test_the_configuration_decides(tmp_path: Path) -> None:
    """A trigger that is off does not trade; live addresses and keys are left alone."""

    def change(settings: Settings) -> Settings:
        return attrs.evolve(
            settings,
            mode="live",
            exchange=ExchangeSettings(credentials_dir=str(tmp_path / "no such folder")),
            trigger=tuple(
                attrs.evolve(trigger, enabled=trigger.id != "elon_btc")
                for trigger in settings.trigger
            ),
            feed={
                name: attrs.evolve(feed, enabled=name != "toa_news", key_file="/nowhere")
                for name, feed in settings.feed.items()
            },
        )

    report = play(read_session((SHIPPED,)), change)
    assert [row["trigger"] for row in report["triggers"]] == ["nfp_le_50k", "upbit_listing"]
    assert report["unheard"] == ["toa_news"]
    assert report["alarms"] == []


def test_what_the_recorder_wrote_can_be_replayed(tmp_path: Path) -> None:
    async def record() -> tuple[Path, ...]:
        clock = LoopClock(START_MS * 10**6)
        recorder = Recorder(tmp_path, clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.run)
            recorder.start()
            for text in ("Good morning", "Bitcoin is back"):
                received_ns = clock.now_ns()
                recorder.tee("tokyo", received_ns, elon(received_ns // 10**6, text))
                await trio.sleep(3)
            nursery.cancel_scope.cancel()
        return tuple(tmp_path / file.name for file in recorder.captures())

    report = play(read_session(trio.run(record, clock=MockClock(autojump_threshold=0))))
    assert report["lines"] == {"tokyo": 2}
    assert [(row["trigger"], row["trades"]) for row in report["triggers"]] == [("elon_btc", 1)]


def _lowcapd(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lowcap", "replay", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "LOWCAP_CONFIG": str(shipped("config.toml")), "TMPDIR": str(home)},
        check=False,
    )


def test_the_command_prints_one_document_and_leaves_nothing(tmp_path: Path, morning: Json) -> None:
    done = _lowcapd(str(SHIPPED), "--json", "--seed", "1", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert without_work(json.loads(done.stdout)) == without_work(morning)
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_tables(tmp_path: Path, morning: Json) -> None:
    done = _lowcapd(str(SHIPPED), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert (
        shown[: shown.index("No trade, by reason")]
        == lines_of(morning)[: shown.index("No trade, by reason")]
    )


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"feed":"tokyo","t_ms":1,"frame":}', "bad.jsonl:1: "),
        ('{"feed":"tokyo","frame":{}}', "bad.jsonl:1: "),
        ('{"stream":"btc","t_ms":1000,"frame":{"s":"BTCUSDT","p":"1e5"}}', "bad.jsonl"),
        ('{"stream":"btc","t_ms":1000,"frame":{"s":"BTCUSDT"}}', "bad.jsonl"),
        ('{"stream":"btc","t_ms":1000,"frame":{"s":"BTCUSDT","p":"1"}}', "no frame of any feed"),
    ],
)
def test_a_line_that_cannot_be_played_is_named(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match=named):
        read_session((path,))


def test_a_bad_line_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("{\n")
    done = _lowcapd(str(path), home=tmp_path)
    assert done.returncode == 78
    assert f"error: {path}:1: " in done.stderr


def test_a_bad_configuration_ends_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped("config.toml").read_text().replace('mode = "dry"', 'mode = "wet"'))
    done = _lowcapd(str(SHIPPED), "--config", str(config), home=tmp_path)
    assert done.returncode == 78
    assert "error: mode: " in done.stderr
