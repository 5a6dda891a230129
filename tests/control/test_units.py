"""The systemd units: accepted without a word, hardened, paired, and honest about roles."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from lowcap.control.client import socket_candidates
from lowcap.control.peer import _ROLE_GROUPS

UNITS = Path(__file__).parents[2] / "contrib" / "systemd"
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here"
)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The units with a program that exists here."""
    for name in ("lowcapd.service", "lowcapd.socket"):
        text = (UNITS / name).read_text().replace("/opt/lowcap/bin/lowcapd", "/bin/true")
        (tmp_path / name).write_text(text)
    return tmp_path


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
@pytest.mark.parametrize("name", ["lowcapd.service", "lowcapd.socket"])
def test_systemd_has_nothing_to_remark(rendered: Path, name: str) -> None:
    done = _run("systemd-analyze", "verify", "--man=no", str(rendered / name))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_misspelt_key_would_be_noticed(rendered: Path) -> None:
    unit = rendered / "lowcapd.service"
    unit.write_text(unit.read_text().replace("PrivateTmp=", "PrivatTmp="))
    done = _run("systemd-analyze", "verify", "--man=no", str(unit))
    assert "PrivatTmp" in done.stderr


@needs_systemd
def test_little_is_exposed(rendered: Path) -> None:
    unit = str(rendered / "lowcapd.service")
    done = _run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout


def _parsed(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser


def test_the_service_says_what_the_daemon_relies_on() -> None:
    service = _parsed("lowcapd.service")
    assert (
        dict(service["Service"]).items()
        >= {
            "Type": "notify",
            "NotifyAccess": "main",
            "WatchdogSec": "15",
            "Restart": "on-failure",
            "RestartPreventExitStatus": "78",
            "TimeoutStopSec": "30",
            "StateDirectory": "lowcap",
            "RuntimeDirectory": "lowcap",
            "RuntimeDirectoryPreserve": "yes",
            "LimitCORE": "0",
            "User": "lowcap",
            "ExecStart": "/opt/lowcap/bin/lowcapd run --config /etc/lowcap/config.toml",
        }.items()
    )
    assert "PrivateUsers" not in service["Service"]  # it would hide every operator's uid
    assert service["Unit"]["After"] == "network-online.target time-sync.target"


def test_the_socket_is_where_clients_look() -> None:
    socket = _parsed("lowcapd.socket")["Socket"]
    assert Path(socket["ListenStream"]) in socket_candidates("", {})
    assert (socket["SocketGroup"], socket["SocketMode"]) == ("lowcap", "0660")
    assert socket["RemoveOnStop"] == "yes"


def test_sysusers_makes_every_group_that_gives_a_role(tmp_path: Path) -> None:
    lines = (UNITS / "lowcap.sysusers.conf").read_text().splitlines()
    made = {line.split()[1] for line in lines if line.startswith(("u ", "g "))}
    assert made == {name for name, _ in _ROLE_GROUPS}
    if shutil.which("systemd-sysusers"):
        (tmp_path / "etc").mkdir()
        conf = str(UNITS / "lowcap.sysusers.conf")
        done = _run("systemd-sysusers", f"--root={tmp_path}", conf)
        assert done.returncode == 0, done.stderr
        assert "lowcap:" in (tmp_path / "etc" / "passwd").read_text()
