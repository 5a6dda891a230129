"""Tab in a real bash, with a daemon, with one that is slow, and with none."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal_kit import Daemon, FakeDaemon, ctl, environment

from lowcap.control.commands import COMMANDS
from lowcap.terminal.options import TIMEOUT_S

STATUS = {
    "symbols": ["PEPEUSDT", "BTCUSDT"], "paused_symbols": ["XRPUSDT"], "trigger_ids": ["elon_btc"],
    "feeds": [{"name": "tokyo"}, {"name": "toa_news"}, {"name": "bad name\n$(touch x)"}],
    "holds": [{"name": "loss-streak", "who": "risk"}, {"name": "operator-pause", "who": "uid 0"}],
    "breakers": [{"name": "feed:tokyo"}],
}  # fmt: skip


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path / "c.sock")
    made.answers["status"] = {"value": STATUS}
    yield made
    made.close()


class Bash:
    """A bash that has loaded our completion script, as a login shell would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        bin_folder = folder / "bin"
        bin_folder.mkdir(exist_ok=True)
        program = bin_folder / "lowcapctl"
        program.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m lowcap.terminal.main "$@"\n'
        )
        program.chmod(0o755)
        self._env = environment(
            folder,
            PATH=f"{bin_folder}:{os.environ['PATH']}",
            LOWCAP_SOCKET=str(folder / "c.sock"),
            PYTHONPATH=str(Path(__file__).parents[2]),
        )

    def tab(self, line: str, within_s: float = 30) -> list[str]:
        """What Tab offers after ``line``, in its order."""
        words = line.split(" ")
        script = (
            'eval "$(lowcapctl completion bash)"\n'
            f"COMP_WORDS=({' '.join(shlex.quote(word) for word in words)})\n"
            f"COMP_CWORD={len(words) - 1}\nCOMP_LINE={shlex.quote(line)}\nCOMP_POINT={len(line)}\n"
            "_lowcapctl_completion lowcapctl\n"
            "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=within_s,
            check=False, env=self._env, cwd=self._folder,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()


def test_commands_options_and_choices_need_no_daemon(tmp_path: Path) -> None:
    bash = Bash(tmp_path)
    assert bash.tab("lowcapctl ") == [command.name for command in COMMANDS]
    assert bash.tab("lowcapctl --json pan") == ["panic"]
    assert {"--all", "--direct", "--reason"} <= set(bash.tab("lowcapctl panic --"))
    assert "--watch" in bash.tab("lowcapctl --w")
    assert bash.tab("lowcapctl wait f") == ["flat", "feed"]
    assert bash.tab("lowcapctl feed show ") == []
    assert bash.tab("lowcapctl help exit") == ["exit-codes"]
    assert bash.tab("lowcapctl pnl 7d --by s") == ["symbol"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lowcapctl close ", ["PEPEUSDT", "BTCUSDT"]),  # as the daemon ranks them
        ("lowcapctl close b", ["BTCUSDT"]),
        ("lowcapctl long pe", ["PEPEUSDT"]),
        ("lowcapctl trade BTC s", ["short", "sell"]),
        ("lowcapctl feed tail t", ["tokyo", "toa_news"]),
        ("lowcapctl feed tail ", ["tokyo", "toa_news"]),  # no word that a shell would have to quote
        ("lowcapctl trigger show ", ["elon_btc"]),
        ("lowcapctl try --feed to", ["tokyo", "toa_news"]),
        ("lowcapctl unlock ", ["XRPUSDT", "loss-streak", "feed:tokyo"]),
        ("lowcapctl --json position ", ["PEPEUSDT", "BTCUSDT"]),
    ],
)
def test_words_that_the_daemon_knows(
    tmp_path: Path, fake: FakeDaemon, line: str, offered: list[str]
) -> None:
    assert Bash(tmp_path).tab(line) == offered
    assert not (tmp_path / "x").exists()


def test_a_socket_that_was_typed_is_asked(tmp_path: Path) -> None:
    elsewhere = FakeDaemon(tmp_path / "other.sock")
    elsewhere.answers["status"] = {"value": STATUS}
    try:
        line = f"lowcapctl --socket {tmp_path / 'other.sock'} close "
        assert Bash(tmp_path).tab(line) == ["PEPEUSDT", "BTCUSDT"]
    finally:
        elsewhere.close()


def test_a_daemon_that_does_not_answer_holds_nobody_up(tmp_path: Path, fake: FakeDaemon) -> None:
    del fake.answers["status"]
    bash = Bash(tmp_path)
    assert bash.tab("lowcapctl close ", within_s=TIMEOUT_S - 1) == []  # as no command would be
    assert fake.asked
    fake.fail("status", "internal")
    assert bash.tab("lowcapctl close ") == []
    fake.answers["status"] = {"value": {"symbols": None}}
    assert bash.tab("lowcapctl close ") == []


def test_a_real_daemon(daemon: Daemon) -> None:
    (daemon.folder / "bin").mkdir(exist_ok=True)
    bash = Bash(daemon.folder)
    assert daemon.ctl("trade", "ETH", "long", "--usd", "1000", "--yes").returncode == 0
    assert bash.tab("lowcapctl close ") == ["ETHUSDT"]
    assert daemon.ctl("close", "--all", "--yes").returncode == 0
    assert bash.tab("lowcapctl close ") == []
    assert "synoptic" in bash.tab("lowcapctl feed enable ")
    assert "elon_btc" in bash.tab("lowcapctl trigger disable e")
    orders = bash.tab("lowcapctl wait order lcd-")
    assert orders
    assert all(order.startswith("lcd-") for order in orders)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_its_shell_reads(tmp_path: Path, shell: str) -> None:
    done = ctl(tmp_path, "completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_LOWCAPCTL_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine: its script is printed, not read")
    file = tmp_path / "script"
    file.write_text(done.stdout)
    subprocess.run([shell, "-n", str(file)], check=True, timeout=20)


def test_no_other_shell(tmp_path: Path) -> None:
    assert ctl(tmp_path, "completion", "csh").returncode == 2
