"""Ten minutes of looping news: trades go on, memory does not grow, the log stays clean.

    python -m tests.long.soak [SECONDS]

The capture's passes are shifted in time, ids and coins, so that each trades anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lowcap.core.clock import iso_ms
from lowcap.core.facts import FeedChanged, HoldPlaced, NewsSeen, Refused
from lowcap.paper.contracts import listed_contracts
from tests.long.rig import (
    GUARDS_OFF,
    Process,
    call,
    ledger_records,
    running,
    wait_ready,
    write_config,
)

PASS_S = 12
COINS_PER_PASS = 3
LEAD_S = 8
FIRST_READING_S = 120
GROWTH_MAX = 1.1
TRADES_PER_PASS_MIN = 2
START_MS = 1_772_000_000_000  # a quiet Wednesday, 2026-02-25


def write_capture(path: Path, seconds: int) -> int:
    """The passes, one after the other; returns how many."""
    coins = [s.removesuffix("USDT") for s in listed_contracts() if not s.startswith("1")]
    passes = seconds // PASS_S
    with path.open("w") as file:
        for number in range(passes):
            first = number * COINS_PER_PASS
            chosen = [coins[(first + n) % len(coins)] for n in range(COINS_PER_PASS)]
            for line in one_pass(START_MS + (LEAD_S + number * PASS_S) * 1000, number, chosen):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return passes


def one_pass(at_ms: int, number: int, coins: list[str]) -> list[dict[str, object]]:
    """Noise, a listing, noise."""
    names = ", ".join(f"코인({coin})" for coin in coins)
    listing = {
        "_id": f"s{number}",
        "title": f"[거래] {names} KRW, USDT 마켓 디지털 자산 추가",
        "source": "Upbit",
        "url": f"https://upbit.com/service_center/notice?id={number}",
        "time": at_ms + 3_000,
    }
    lines: list[dict[str, object]] = [
        {"feed": "tokyo", "t_ms": at_ms + 3_050, "frame": listing},
        {"feed": "toa_news", "t_ms": at_ms + 4_000, "frame": "pong"},
    ]
    for noise in range(40):
        post = {
            "_id": str(10**18 + number * 100 + noise),
            "title": "Harbour Analytics (@harbour_onchain)",
            "body": f"Block {number * 40 + noise}: inflows are calm, fees are low",
            "info": {"twitterId": "700100200300", "isReply": False, "isRetweet": False},
            "time": at_ms + noise * 250,
            "type": "direct",
        }
        lines.append({"feed": "tokyo", "t_ms": at_ms + noise * 250 + 40, "frame": post})
    return sorted(lines, key=lambda line: int(str(line["t_ms"])))


def soak(seconds: int) -> None:
    """Run the loop for ``seconds`` and judge it."""
    with tempfile.TemporaryDirectory(prefix="lowcap-soak-") as name:
        folder = Path(name)
        passes = write_capture(folder / "loop.jsonl", seconds)
        as_of = f"{iso_ms(START_MS)}@{time.time():.6f}"
        with running(
            folder, "feeds", "feedserver", str(folder / "loop.jsonl"), "--as-of", as_of
        ) as feeds:
            url = feeds.lines(1)["url"]
            names = ("tokyo", "toa_news", "synoptic")
            config = write_config(
                folder,
                {
                    "feed": {n: {"url": url.replace("FEED", n)} for n in names},
                    "paper": {"seed": 5},
                    "limits": GUARDS_OFF,
                },
            )
            with running(
                folder, "daemon", "run", "--config", str(config), "--as-of", as_of
            ) as daemon:
                wait_ready(folder)
                readings = watch(folder, daemon, seconds)
                judge(folder, daemon, passes, readings)


def watch(folder: Path, daemon: Process, seconds: int) -> list[tuple[float, int]]:
    """Read memory every ten seconds; close everything now and then, as an operator would."""
    started_s = time.monotonic()
    readings: list[tuple[float, int]] = []
    closed_at_s = 0.0
    while (now_s := time.monotonic() - started_s) < seconds:
        readings.append((now_s, daemon.rss_kib()))
        if now_s - closed_at_s > 4 * PASS_S:
            closed_at_s = now_s
            call(folder, "close", all=True, confirm=True)
        trades = call(folder, "status")["own_work_us"]["trades"]
        print(f"{now_s:5.0f} s  rss {readings[-1][1] / 1024:.1f} MiB  trades {trades}", flush=True)
        time.sleep(min(10.0, seconds - now_s + 0.1))
    readings.append((time.monotonic() - started_s, daemon.rss_kib()))
    return readings


def judge(folder: Path, daemon: Process, passes: int, readings: list[tuple[float, int]]) -> None:
    """Every claim of the soak, asserted."""
    ctl = [sys.executable, "-m", "lowcap.terminal.main", "--socket", str(folder / "c.sock")]
    status = json.loads(subprocess.check_output([*ctl, "status", "--json"], text=True))
    assert status["state"] == "ACTIVE", status
    entries = sum(
        1
        for r in ledger_records(folder)
        if r.kind == "OrderIntended" and r.body.leg == "e"  # type: ignore[attr-defined]
    )
    print(refusals(folder))
    assert entries >= TRADES_PER_PASS_MIN * (passes - 2), f"{entries} entries in {passes} passes"
    bad = [
        line
        for line in daemon.log.read_text().splitlines()
        if " ERROR " in line or " CRITICAL " in line or "Traceback" in line
    ]
    assert not bad, bad[:5]
    late = [rss for at_s, rss in readings if at_s >= FIRST_READING_S]
    growth = late[-1] / late[0] if late else 1.0
    print(
        f"{entries} trades; rss {readings[-1][1] / 1024:.1f} MiB, {growth:.3f} x that at 2 min; "
        f"no error in the log; status --json valid ({status['state']})"
    )
    assert growth <= GROWTH_MAX, f"memory grew {growth:.3f} times"


def refusals(folder: Path) -> str:
    """Why listings did not trade, counted."""
    found: Counter[str] = Counter()
    for record in ledger_records(folder):
        if isinstance(record.body, Refused):
            found[f"refused: {record.body.check} ({record.body.measured})"] += 1
        elif isinstance(record.body, NewsSeen) and record.body.misses:
            found[f"no trade: {record.body.reason} ({record.body.detail})"] += 1
        elif isinstance(record.body, HoldPlaced | FeedChanged):
            found[f"{record.kind}: {record.body}"] += 1
    return "\n".join(f"{count:>5} {reason}" for reason, count in found.most_common(20))


def main() -> None:
    soak(int(sys.argv[1]) if len(sys.argv) > 1 else 600)


if __name__ == "__main__":
    main()
