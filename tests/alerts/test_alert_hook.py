"""A program of the operator's as a sink: what it gets, how it may fail, what is left of it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
import trio
from alert_kit import HOSTILE, alert

from lowcap.alerts.hook import DEADLINE_S, WORDS_BYTES_MAX, run_hook
from lowcap.alerts.services import AGAIN, DEAD, REFUSED, SENT, Verdict, payload_of

PYTHON = sys.executable
ENVIRON = {"PATH": os.environ["PATH"], "LOWCAP_FEED_KEY": "MARKED-secret"}


def run(*command: str, deadline_s: float = DEADLINE_S, quote: str = "") -> Verdict:
    payload = payload_of(alert("alarm", "error", "words", quote=quote), "live")

    async def main() -> Verdict:
        with trio.fail_after(30):
            return await run_hook(command, payload, ENVIRON, deadline_s=deadline_s)

    return trio.run(main)


def test_it_gets_json_on_its_input_arguments_as_they_are_and_no_keys(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code = (
        "import json, os, sys; told = json.load(sys.stdin);"
        "json.dump([told, sys.argv[2:], dict(os.environ), os.getcwd()], open(sys.argv[1], 'w'))"
    )
    trick = "$(touch /tmp/never); `id` | cat"
    assert run(PYTHON, "-c", code, str(out), trick, quote=HOSTILE).outcome == SENT
    told, arguments, environ, folder = json.loads(out.read_text())
    assert (told["event"], told["mode"]) == ("alarm", "live")
    assert "*bold*" in told["text"]
    assert arguments == [trick], "no shell reads it"
    assert "LOWCAP_FEED_KEY" not in environ
    assert environ["PATH"] == ENVIRON["PATH"]
    assert folder == "/"


@pytest.mark.parametrize(
    ("code", "outcome", "why"),
    [
        ("import sys; sys.exit(75)", AGAIN, "exit 75"),
        ("import sys; sys.exit('no route')", REFUSED, "exit 1 no route"),
        ("import os; os.close(0)", SENT, ""),
        ("import os; os.kill(os.getpid(), 15)", REFUSED, "exit -15"),
    ],
)
def test_how_it_ends_is_what_became_of_the_alert(code: str, outcome: str, why: str) -> None:
    verdict = run(PYTHON, "-c", code)
    assert (verdict.outcome, verdict.why) == (outcome, why)


def test_a_program_that_is_not_there_is_final() -> None:
    verdict = run("/nowhere/at/all")
    assert verdict.outcome == DEAD
    assert verdict.why == "/nowhere/at/all: No such file or directory"


def test_its_complaint_is_bounded_and_harmless() -> None:
    code = "import sys; sys.stderr.write('\\x1b[2J' + 'x' * 3_000_000); sys.exit(3)"
    verdict = run(PYTHON, "-c", code)
    assert verdict.outcome == REFUSED
    assert verdict.why.startswith("exit 3 \\u001b[2Jxxx")
    assert len(verdict.why) <= WORDS_BYTES_MAX


def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    marks = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(600)"
    )
    verdict = run(PYTHON, "-c", code, str(marks), deadline_s=3)
    assert (verdict.outcome, verdict.why) == (REFUSED, "killed after 3 s")
    assert all(_ends(int(pid)) for pid in marks.read_text().split())


def _ends(pid: int) -> bool:
    """Whether a process that was killed is gone within ten seconds; a zombie is."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_what_it_leaves_running_is_not_waited_for() -> None:
    code = (
        "import subprocess, sys;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])"
    )
    assert run(PYTHON, "-c", code, deadline_s=20).outcome == SENT


def test_being_cancelled_kills_it_too(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"

    async def main() -> None:
        with trio.move_on_after(20) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run_hook, (PYTHON, "-c", code, str(mark)), b"{}", ENVIRON)
                while not mark.exists() or not mark.read_text():
                    await trio.sleep(0.02)
                nursery.cancel_scope.cancel(reason="enough")
        assert not scope.cancelled_caught

    trio.run(main)
    assert _ends(int(mark.read_text()))
