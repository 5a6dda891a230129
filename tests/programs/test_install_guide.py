"""docs/install.md followed word by word, in a tree of its own with a prefix in place of /.

Each command of each block runs, in order, in one shell each. What needs PID 1,
a package registry or the machine's own users is handed to stand-ins, and
exactly those lines are listed here. The testnet and the live venue are one
simulator on loopback, by environment variables; feeds are off.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.long.rig import FEEDS, Process

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "install.md"
STAND_INS = (
    *("apt-get", "adduser", "usermod", "journalctl"),
    *("systemctl", "systemd-sysusers", "systemd-tmpfiles"),
)
# Every line of the guide that a stand-in takes, in order.
SUBSTITUTED = [
    "apt-get install -y git python3 python3-venv python3-pip",
    "systemd-sysusers",
    "systemd-tmpfiles --create",
    "journalctl --update-catalog",
    "systemctl daemon-reload",
    "systemctl enable --now lowcapd.socket lowcapd.service",
    "systemctl is-active lowcapd",
    "journalctl --namespace=lowcap -u lowcapd -n 20",
    'adduser --disabled-password --gecos "" ana',
    "usermod -aG lowcap,lowcap-trade ana",
    "systemctl daemon-reload",
    "systemctl restart lowcapd",
    "systemctl restart lowcapd",
    "systemctl restart lowcapd",
    "systemctl restart lowcapd",
    "systemd-tmpfiles --create",
    "systemctl daemon-reload",
    "systemctl enable --now lowcapd@paper.socket lowcapd@paper.service",
    "systemctl disable --now lowcapd@paper.socket lowcapd@paper.service",
    "systemctl disable --now lowcapd.socket lowcapd.service",
    "systemctl daemon-reload",
]
# Where a person types a word, --yes stands for it.
CONFIRMED = ("lowcapctl long BTC 300", "lowcapctl close --all", "lowcapctl panic", "lowcapctl arm")
# What leads into the tree instead of the machine.
PREFIXED = re.compile(r"(?<![\w/.~-])/(?=(?:opt|etc|usr/local|usr/lib/systemd|var/lib|run)/)")


def commands() -> list[str]:
    """Every command of the guide's sh blocks; a here-document belongs to its command."""
    found: list[str] = []
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", GUIDE.read_text()):
        lines = iter(block.splitlines())
        for line in lines:
            command = line
            if "<<'END'" in line:
                for more in lines:
                    command += f"\n{more}"
                    if more == "END":
                        break
            found.append(command)
    return found


class Server:
    """A server's tree below a prefix, and whoever types there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cwd = root
        self.ran: list[str] = []
        self.outputs: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.environ = {
            "PATH": f"{root}/stand-ins:{root}/usr/local/bin:/usr/bin:/bin",
            "HOME": str(root / "root"),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(root / "run"),
            "SYSTEMD_UNIT_PATH": f"{root}/etc/systemd/system:",
            # Nothing leaves this machine: pip finds all that the lock files name already there.
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "LOWCAP_CAPS__ENABLED": "false",
            **{f"LOWCAP_FEED__{name.upper()}__ENABLED": "false" for name in FEEDS},
        }
        for name in ("etc/systemd/system", "usr/local/bin", "usr/local/src", "opt", "run", "root",
                     "var/lib/systemd/catalog"):  # fmt: skip
            (root / name).mkdir(parents=True)
        self._copy_sources()
        self._borrow_packages(root / "opt/lowcap-1")
        shutil.copytree(root / "opt/lowcap-1", root / "opt/lowcap-2", symlinks=True)
        self._make_stand_ins()

    def _copy_sources(self) -> None:
        """The checkout that the guide asks for; without what only its owner's machine has."""
        left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(ROOT, self.root / "usr/local/src/lowcap", ignore=left_out)

    def _borrow_packages(self, venv: Path) -> None:
        """A virtual environment that sees the packages of the one that runs these tests.

        setup finds it there, asks pip for exactly what the lock files name (which is there
        already, in these versions) and puts lowcap itself in.
        """
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
        (ours,) = (path for path in sys.path if path.endswith("site-packages"))
        (theirs,) = venv.glob("lib/python*/site-packages")
        (theirs / "borrowed.pth").write_text(f"{ours}\n")

    def _make_stand_ins(self) -> None:
        folder, python = self.root / "stand-ins", sys.executable
        folder.mkdir()
        (folder / "python3").symlink_to(python)
        here = f"PYTHONPATH={shlex.quote(str(ROOT))}"
        scripts = dict.fromkeys(("apt-get", "adduser", "usermod", "journalctl"), "exit 0")
        path = Path(__file__).with_name("systemctl_stand_in.py")
        scripts["systemctl"] = f'{here} exec {python} {path} {self.root} "$@"'
        if (journalctl := shutil.which("journalctl")) is not None:
            only = f'case "$1" in --update-catalog) exec {journalctl} --root={self.root} "$1"; esac'
            scripts["journalctl"] = only
        as_root = os.geteuid() == 0
        for tool, place in (("systemd-sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles.d")):
            real = shutil.which(tool)
            files = f"{self.root}/etc/{place}/*.conf"
            if real and as_root:
                scripts[tool] = f'exec {real} --root={self.root} "$@" {files}'
            else:  # folders without their owners, which only root can give
                scripts[tool] = f"awk '$1 == \"d\" {{print $2}}' {files} | sed 's#^#{self.root}#'"
                scripts[tool] += " | xargs -r mkdir -p"
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    def run(self, command: str) -> str:
        """One command as it stands in the guide; its output."""
        self.ran.append(command)
        typed = f"{command} --yes" if command in CONFIRMED else command
        typed = PREFIXED.sub(f"{self.root}/", typed)
        if typed.startswith("cd "):
            self.cwd = Path(typed.removeprefix("cd "))
            return ""
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", typed],
            cwd=self.cwd, env=self.environ, timeout=180, check=False, text=True,
            input=self.keys.get(command.rpartition("/")[2], ""), capture_output=True,
        )  # fmt: skip
        log = self.root / "run/lowcapd.service.log"
        told = log.read_text()[-2_000:] if log.exists() else ""
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}\n{told}"
        self.outputs[command] = done.stdout
        return done.stdout

    def until(self, wanted: Callable[[Any], bool], within_s: float = 60) -> Any:
        """The daemon's status once a person who looks would go on."""
        give_up_s = time.monotonic() + within_s
        while True:
            status = json.loads(self.run("lowcapctl status --json"))
            if wanted(status):
                return status
            assert time.monotonic() < give_up_s, status
            time.sleep(0.2)

    def close(self) -> None:
        """End what still runs."""
        for unit in ("lowcapd@paper.service", "lowcapd.service"):
            stand_in = self.root / "stand-ins/systemctl"
            if (self.root / "run" / f"{unit}.pid").exists():
                subprocess.run([str(stand_in), "stop", unit], timeout=60, check=False)


def _is_ready(status: Any) -> bool:
    venue = status["venue"]
    return status["recovered"] and 0 < venue["contracts"] == venue["prepared"]


def _is_active(status: Any) -> bool:
    return _is_ready(status) and status["state"] == "ACTIVE"


@pytest.fixture
def server() -> Iterator[Server]:
    # Short: the path of a socket has at most 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="lc", dir="/tmp"))
    made = Server(root)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root)


def test_exactly_these_lines_are_left_to_stand_ins() -> None:
    taken = [command for command in commands() if command.split()[0] in STAND_INS]
    assert taken == SUBSTITUTED
    assert set(CONFIRMED) <= set(commands())


def test_the_guide_names_no_registry() -> None:
    text = GUIDE.read_text()
    assert "://" not in text
    assert "index-url" not in text


@pytest.mark.skipif(
    shutil.which("uv", path="/usr/bin:/bin") is not None,
    reason="uv would be taken, and does not see borrowed packages",
)
def test_every_command_of_the_guide_runs(server: Server) -> None:
    followed = iter(commands())

    def follow(last: str) -> str:
        """Type on, up to and with a command."""
        for command in followed:
            output = server.run(command)
            if command == last:
                return output
        raise AssertionError(f"the guide has no {last!r} here")

    _to_dry_mode(server, follow)
    exchange = Process(server.root, "venue", "exchange", "--credentials", str(server.root / "keys"))
    try:
        urls = exchange.lines(4)
        server.environ |= {
            f"LOWCAP_EXCHANGE__{name.upper()}": urls[name]
            for name in ("rest_url", "ws_api_url", "stream_url")
        }
        for name in ("api-key", "api-secret"):
            text = (server.root / "keys" / name).read_text()
            server.keys |= {name: text, f"panic-{name}": text}
        _to_the_testnet(server, follow)
        _to_real_money(server, follow)
        _up_and_down(server, follow)
    finally:
        server.close()
        exchange.stop()
    assert next(followed, None) is None


Follow = Callable[[str], str]


def _to_dry_mode(server: Server, follow: Follow) -> None:
    tested = follow("/opt/lowcap/bin/lowcapd selftest")
    assert "7 of 7 held" in tested
    assert (server.root / "opt/lowcap-1/bin/lowcapd").is_file()
    assert not (server.root / "opt/lowcap-1/bin/pytest").exists()
    if shutil.which("journalctl"):
        follow("journalctl --update-catalog")
        assert (server.root / "var/lib/systemd/catalog/database").stat().st_size > 1_000
    assert ": fine (dry mode" in follow("/opt/lowcap/bin/lowcapd check /etc/lowcap/config.toml")
    assert follow("systemctl is-active lowcapd") == "active\n"
    state = server.root / "var/lib/lowcap"
    assert state.stat().st_mode & 0o777 == 0o700
    server.until(_is_active)
    assert follow("lowcapctl status").startswith("DRY  ACTIVE")
    checked = follow("lowcapctl unit check")
    assert "FAIL" not in checked
    if shutil.which("systemd-analyze"):
        assert checked.count(": current, hardened") == 2
    looked = follow("lowcapctl doctor")
    assert "FAIL" not in looked
    assert f"{server.root}/etc/lowcap/config.toml: dry mode" in looked
    follow("usermod -aG lowcap,lowcap-trade ana")


def _to_the_testnet(server: Server, follow: Follow) -> None:
    follow("systemctl restart lowcapd")
    for name in ("api-key", "api-secret"):
        kept = server.root / "etc/lowcap/credentials" / name
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.read_text() == server.keys[name]
    server.until(_is_active)
    assert follow("lowcapctl status").startswith("TESTNET")
    looked = follow("lowcapctl doctor")
    assert "works; this venue does not tell what it may do" in looked
    assert "clock" in looked
    follow("lowcapctl long BTC 300")
    server.until(lambda status: status["positions"] == 1 and not status["unprotected"])
    follow("lowcapctl position BTC")
    follow("lowcapctl close --all")
    assert "BTCUSDT" in follow("lowcapctl orders -n 10")
    follow("lowcapctl panic")
    assert server.until(_is_ready)["state"] == "HALTED"
    follow('lowcapctl resume --reason "drill over"')
    server.until(_is_active)


def _to_real_money(server: Server, follow: Follow) -> None:
    follow("systemctl restart lowcapd")
    status = server.until(lambda status: _is_ready(status) and len(status["holds"]) == 1)
    assert "the configuration has changed" in status["holds"][0]["reason"]
    assert "LIVE NOT ARMED" in follow("lowcapctl status")
    follow("lowcapctl risk")
    follow("lowcapctl arm")
    server.until(_is_active)
    assert "LIVE armed" in follow("lowcapctl status")


def _up_and_down(server: Server, follow: Follow) -> None:
    follow("systemctl restart lowcapd")
    running = json.loads(server.run("lowcapctl version --json"))
    assert running["client"] == running["daemon"]
    assert (server.root / "opt/lowcap").resolve().name == "lowcap-2"
    follow("systemctl restart lowcapd")
    assert (server.root / "opt/lowcap").resolve().name == "lowcap-1"
    for name in list(server.environ):
        if name.startswith("LOWCAP_EXCHANGE__"):
            del server.environ[name]  # the twin trades on paper
    paper = follow("lowcapctl -i paper status")
    assert paper.startswith("DRY")
    assert (server.root / "etc/lowcap-paper/config.d").is_dir()
    follow("rm -r /opt/lowcap-1 /opt/lowcap-2")
    follow("systemctl daemon-reload")
    left = sorted(
        str(path.relative_to(server.root))
        for folder in (
            "opt",
            "etc/systemd",
            "etc/sysusers.d",
            "etc/tmpfiles.d",
            "usr/lib",
            "usr/local/bin",
        )
        for path in (server.root / folder).rglob("*")
        if not path.is_dir()
    )
    assert left == []
    assert (server.root / "var/lib/lowcap/ledger").is_dir()  # for a person to remove


def test_the_key_of_the_phone_runs_lowcapctl_and_nothing_else(tmp_path: Path) -> None:
    (forced,) = re.findall(r'^command="(.*)",restrict ', GUIDE.read_text(), re.MULTILINE)
    told = tmp_path / "told"
    (tmp_path / "lowcapctl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\n')
    (tmp_path / "lowcapctl").chmod(0o755)
    for asked, words in (
        ("status", ["status"]),
        ("positions --json", ["positions", "--json"]),
        ("status; touch bad", ["status;", "touch", "bad"]),
        ("$(touch bad) `touch bad` | tee bad", ["$(touch", "bad)", "`touch", "bad`", "|", "tee"]),
        ("* > bad", ["*", ">", "bad"]),
    ):
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SSH_ORIGINAL_COMMAND": asked}
        subprocess.run(["/bin/sh", "-c", forced], env=environ, cwd=tmp_path, check=True, timeout=20)
        assert told.read_text().splitlines()[: len(words)] == words
        assert not (tmp_path / "bad").exists()
