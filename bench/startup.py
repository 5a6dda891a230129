"""One-liners as whole processes against a running dry daemon, beside a bare interpreter.

    python -m bench.startup [--rounds N] [--json FILE]

All cases take turns, round by round. Wall time is from before the process is
started until it has ended; process time is what the kernel charged it for.
The daemon is flat, its feeds point at a closed port.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tomli_w

from lowcap.config import shipped
from tests.long.rig import Process, wait_ready

ROUNDS = 21
WALL_MS_MAX, TIMES_MAX = 100.0, 5.0
FEEDS = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter", "upbit")
CASES: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "panic --yes": ("panic", "--yes"),
    "positions --json": ("positions", "--json"),
    "is-flat": ("is-flat",),
    "risk": ("risk",),
}
HELD_TO = ("status", "panic --yes", "positions --json")


def configure(folder: Path) -> Path:
    """The shipped configuration with a folder, a socket and feeds of its own."""
    config = folder / "config.toml"
    config.write_bytes(shipped("config.toml").read_bytes())
    (folder / "config.d").mkdir()
    overlay = {
        "state": {"dir": str(folder / "state")},
        "control": {"socket": str(folder / "c.sock")},
        "feed": {name: {"enabled": False} for name in FEEDS},
        "caps": {"enabled": False},
    }
    (folder / "config.d" / "bench.toml").write_text(tomli_w.dumps(overlay))
    return config


def took_ms(words: list[str]) -> tuple[float, float, int]:
    """Wall time and process time of a command, in milliseconds, and its exit code."""
    begun_s = time.perf_counter()
    child = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, ended, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - begun_s
    child.returncode = os.waitstatus_to_exitcode(ended)
    return wall_s * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3, child.returncode


def run(rounds: int) -> dict[str, Any]:
    """Medians in milliseconds by case."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    ctl = str(Path(sys.executable).parent / "lowcapctl")
    with tempfile.TemporaryDirectory(prefix="lc-") as name:
        folder = Path(name)
        daemon = Process(folder, "daemon", "run", "--config", str(configure(folder)))
        try:
            wait_ready(folder)
            cases = {"python -c pass": [sys.executable, "-c", "pass"]} | {
                case: [ctl, "--socket", str(folder / "c.sock"), *words]
                for case, words in CASES.items()
            }
            for number in range(rounds + 1):
                for case, words in cases.items():
                    sample = took_ms(words)
                    if number:  # the first round warms the file cache
                        found.setdefault(case, []).append(sample)
        finally:
            daemon.stop()
    return {
        case: {
            "wall_ms": statistics.median(wall for wall, _, _ in samples),
            "process_ms": statistics.median(own for _, own, _ in samples),
            "failures": sum(1 for _, _, code in samples if code),
        }
        for case, samples in found.items()
    }


def show(result: dict[str, Any], rounds: int) -> None:
    """The table, and whether what is held to its limits keeps them."""
    bare = result["python -c pass"]
    print(
        f"whole processes, median of {rounds}, {platform.machine()}, "
        f"Python {platform.python_version()}; milliseconds"
    )
    print(f"{'':<18}{'wall':>8}{'process':>9}{'to bare':>9}")
    for case, row in result.items():
        times = row["wall_ms"] / bare["wall_ms"]
        failed = f"  {row['failures']} failed" if row["failures"] else ""
        print(f"{case:<18}{row['wall_ms']:>8.1f}{row['process_ms']:>9.1f}{times:>9.1f}{failed}")
    slow = [
        case
        for case in HELD_TO
        if result[case]["wall_ms"] > WALL_MS_MAX
        or result[case]["wall_ms"] > TIMES_MAX * bare["wall_ms"]
    ]
    limits = f"under {WALL_MS_MAX:g} ms and {TIMES_MAX:g} times a bare interpreter"
    print(f"{limits}: {'not ' + ', '.join(slow) if slow else 'yes'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = run(options.rounds)
    show(result, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
