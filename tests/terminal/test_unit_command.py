"""``lowcapctl unit``: what is printed is what is shipped, and what is missing is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from terminal_kit import ctl

from lowcap.core.errors import CommandError
from lowcap.doctor.units import Place, check_unit, directives, folder, names, rendered

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here"
)


@pytest.mark.parametrize("name", names())
def test_each_shipped_file_is_printed_as_it_is(tmp_path: Path, name: str) -> None:
    done = ctl(tmp_path, "unit", "print", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (folder() / name).read_text()
    as_json = json.loads(ctl(tmp_path, "unit", "print", name, "--json").stdout)
    assert as_json == {"name": name, "text": done.stdout}


def test_the_service_is_what_is_printed_where_nothing_is_said(tmp_path: Path) -> None:
    assert ctl(tmp_path, "unit", "print").stdout == (folder() / "lowcapd.service").read_text()


def test_paths_user_and_instance_are_put_in() -> None:
    place = Place(prefix="/srv/lc/", config="/srv/c.toml", user="bot")
    service = directives(rendered("lowcapd.service", place))
    assert service["Service", "ExecStart"] == ["/srv/lc/bin/lowcapd run --config /srv/c.toml"]
    assert service["Service", "User"] == ["bot"]
    assert service["Service", "Group"] == ["lowcap"]  # whoever may connect stays the same
    assert "SocketUser=bot\nSocketGroup=lowcap" in rendered("lowcapd.socket", place)
    assert "\ng lowcap -\nu bot " in rendered("lowcap.sysusers.conf", place)
    assert "config.d     0755 bot lowcap" in rendered("lowcap.tmpfiles.conf", place)
    paper = Place(instance="paper")
    for name in ("lowcapd.service", "lowcapd@.service"):
        text = rendered(name, paper)
        assert "%i" not in text
        assert "--config /etc/lowcap-paper/config.toml" in text
    assert "/run/lowcap-paper/control.sock" in rendered("lowcapd.socket", paper)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense.service"], "no unit file 'nonsense.service' is shipped"),
        (["../../config.toml"], "no unit file '../../config.toml' is shipped"),
        (["--prefix", "opt"], "--prefix 'opt': expected an absolute path"),
        (["--prefix", "/opt/%h\nExecStartPre=/bin/rm"], "--prefix '/opt/%h"),
        (["--config", "/etc/a b"], "--config '/etc/a b': expected an absolute path"),
        (["--user", "Root!"], "--user 'Root!': expected the name of a user"),
        (["--instance", "a/b"], "--instance 'a/b': expected letters"),
    ],
)
def test_what_cannot_stand_in_a_unit_is_refused(
    tmp_path: Path, words: list[str], said: str
) -> None:
    done = ctl(tmp_path, "unit", "print", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def _installed(folder: Path, name: str = "lowcapd.service", **changed: str) -> Path:
    """A unit as an operator might have it, with a program that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / "bin" / "lowcapd"
    binary.parent.mkdir(exist_ok=True)
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    (folder / "c.toml").write_text("")
    text = rendered(name, Place(prefix=str(folder), config=str(folder / "c.toml")))
    for old, new in changed.items():
        text = text.replace(old.replace("_", "="), new)
    (folder / name).write_text(text)
    return folder / name


def _levels(path: Path) -> list[str]:
    return [finding.level for finding in check_unit(path, {"SYSTEMD_UNIT_PATH": str(path.parent)})]


def _said(path: Path) -> str:
    found = check_unit(path, {"SYSTEMD_UNIT_PATH": str(path.parent)})
    return "\n".join(f"{finding.level} {finding.text}" for finding in found)


@needs_systemd
@pytest.mark.parametrize("name", ["lowcapd.service", "lowcapd.socket", "lowcapd@.service"])
def test_a_current_unit_is_fine(tmp_path: Path, name: str) -> None:
    path = _installed(tmp_path / "u", name)
    if name.endswith(".socket"):
        _installed(tmp_path / "u", name.replace(".socket", ".service"))
    assert _levels(path) == ["ok"], _said(path)


@needs_systemd
def test_an_instance_is_held_against_the_template(tmp_path: Path) -> None:
    path = _installed(tmp_path / "u", "lowcapd@.service")
    named = path.with_name("lowcapd@paper.service")
    named.write_text(path.read_text().replace("%i", "paper"))
    assert _levels(named) == ["ok"], _said(named)


@needs_systemd
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ProtectClock_yes": ""}, "warn missing hardening: ProtectClock=yes"),
        ({"ProtectHome_yes": "ProtectHome=no"}, "ProtectHome=yes, it says ProtectHome=no"),
        ({"Type_notify\n": "Type=simple\n"}, "warn Type=simple, where the shipped unit says Type="),
        ({"PrivateTmp_": "PrivatTmp="}, "FAIL systemd-analyze verify: "),
        ({"KeyringMode_private": "PrivateUsers=yes"}, "FAIL PrivateUsers=yes hides"),
        ({"c.toml": "gone.toml"}, "gone.toml is not there"),
        ({"bin/lowcapd": "bin/gone"}, "bin/gone is no program"),
    ],
)
def test_what_is_missing_or_worse_is_named(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    assert said in _said(_installed(tmp_path / "u", **changed))


@needs_systemd
def test_less_hardening_is_scored_by_systemd(tmp_path: Path) -> None:
    path = _installed(tmp_path / "u", CapabilityBoundingSet_="#")
    assert "systemd-analyze security: Overall exposure level" in _said(path)


@needs_systemd
def test_a_drop_in_counts(tmp_path: Path) -> None:
    path = _installed(tmp_path / "u")
    extra = tmp_path / "u" / "lowcapd.service.d"
    extra.mkdir()
    (extra / "keys.conf").write_text("[Service]\nLoadCredential=api-key:/etc/x\n")
    assert _levels(path) == ["ok"], _said(path)
    (extra / "zz.conf").write_text("[Service]\nSystemCallFilter=\n")
    assert "missing hardening: SystemCallFilter=@system-service" in _said(path)


def test_what_is_no_unit_of_ours_is_said(tmp_path: Path) -> None:
    (tmp_path / "ssh.service").write_text("[Service]\n")
    with pytest.raises(CommandError, match=r"ssh\.service is no unit of lowcap"):
        check_unit(tmp_path / "ssh.service", {})
    with pytest.raises(CommandError, match="No such file"):
        check_unit(tmp_path / "lowcapd.service", {})


def _check(folder: Path, *words: str) -> tuple[int, Any]:
    env = {"SYSTEMD_UNIT_PATH": f"{folder}:"}
    done: subprocess.CompletedProcess[str] = ctl(folder, "unit", "check", *words, "--json", env=env)
    return done.returncode, json.loads(done.stdout)


@needs_systemd
def test_installed_units_are_found_as_systemd_finds_them(tmp_path: Path) -> None:
    code, told = _check(tmp_path)
    assert (code, told["counts"]) == (0, {"ok": 0, "warn": 2, "fail": 0})
    _installed(tmp_path)
    _installed(tmp_path, "lowcapd.socket")
    code, told = _check(tmp_path)
    assert (code, told["counts"]) == (0, {"ok": 2, "warn": 0, "fail": 0}), told
    _installed(tmp_path, PrivateTmp_="PrivatTmp=")
    code, told = _check(tmp_path)
    assert (code, told["ok"]) == (1, False)
    env = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    rows = ctl(tmp_path, "unit", "check", env=env).stdout.splitlines()
    assert any(row.startswith("FAIL\tunit\tsystemd-analyze verify: ") for row in rows)
