"""The systemd units: accepted without a word, hardened, paired, and honest about roles."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from lowcap.control.client import socket_candidates
from lowcap.control.peer import _ROLE_GROUPS
from lowcap.doctor.units import directives

UNITS = Path(__file__).parents[2] / "contrib" / "systemd"
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here"
)


SERVICES = ("lowcapd.service", "lowcapd@.service")
SOCKETS = ("lowcapd.socket", "lowcapd@.socket")


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The units with a program that exists here."""
    for name in (*SERVICES, *SOCKETS):
        text = (UNITS / name).read_text().replace("/opt/lowcap/bin/lowcapd", "/bin/true")
        (tmp_path / name).write_text(text)
    return tmp_path


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
@pytest.mark.parametrize(
    "name", [*SERVICES, *SOCKETS, "lowcapd@paper.service", "lowcapd@paper.socket"]
)
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
@pytest.mark.parametrize("name", SERVICES)
def test_little_is_exposed(rendered: Path, name: str) -> None:
    unit = str(rendered / name)
    done = _run("systemd-analyze", "security", "--offline=true", "--threshold=12", unit)
    assert done.returncode == 0, done.stdout
    less = _run("systemd-analyze", "security", "--offline=true", "--threshold=11", unit)
    assert less.returncode == 1  # the threshold does measure


def test_an_instance_is_the_service_with_folders_of_its_own() -> None:
    """What hardens or restarts the one does so to the other."""
    for one, many in zip((SERVICES[0], SOCKETS[0]), (SERVICES[1], SOCKETS[1]), strict=True):
        single = directives((UNITS / one).read_text())
        template = directives((UNITS / many).read_text())
        own = {
            key: [_of_one(value) for value in values]
            for key, values in template.items()
            if key != ("Unit", "Description")
        }
        del single["Unit", "Description"]
        assert own == single
        folders = [v for vs in template.values() for v in vs if "/lowcap" in v or v == "lowcap-%i"]
        assert all("%i" in v or v.startswith("/opt/lowcap/") for v in folders)


def _of_one(value: str) -> str:
    return value.replace("lowcap-%i", "lowcap").replace("lowcapd@%i.", "lowcapd.")


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
            "LogNamespace": "lowcap",
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
    of_instance = _parsed("lowcapd@.socket")["Socket"]
    assert of_instance["ListenStream"] == "/run/lowcap-%i/control.sock"


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
        groups = (tmp_path / "etc" / "group").read_text()
        assert all(f"{name}:" in groups for name, _ in _ROLE_GROUPS)


@pytest.mark.skipif(
    not shutil.which("systemd-tmpfiles") or os.geteuid() != 0,
    reason="systemd-tmpfiles is not here, or not root",
)
def test_tmpfiles_makes_folders_that_only_the_right_ones_may_change(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    _run("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "lowcap.sysusers.conf"))
    conf = str(UNITS / "lowcap.tmpfiles.conf")
    done = _run("systemd-tmpfiles", f"--root={tmp_path}", "--create", conf)
    assert (done.returncode, done.stderr) == (0, "")
    made = tmp_path / "etc" / "lowcap"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (made, *made.iterdir())}
    assert modes == {"lowcap": 0o755, "config.d": 0o755, "credentials": 0o700}
    assert (made.stat().st_uid, (made / "credentials").stat().st_uid) == (0, 0)
    assert (made / "config.d").stat().st_uid != 0  # what is set with --persist is kept here


def test_every_unit_is_in_the_wheel() -> None:
    """They are read from the package where lowcap is installed: see lowcap.doctor.units."""
    wheel = tomllib.loads((UNITS.parents[1] / "pyproject.toml").read_text())
    included = wheel["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["contrib/systemd"] == "lowcap/shipped/systemd"
