"""The shipped systemd files: rendered for other paths, and compared with what is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from lowcap.config_tree import shipped
from lowcap.core.errors import CommandError
from lowcap.doctor.findings import Finding, fail, ok, warn

SERVICE, SOCKET = "lowcapd.service", "lowcapd.socket"
PREFIX, USER = "/opt/lowcap", "lowcap"
# Where systemd looks, best first; $SYSTEMD_UNIT_PATH stands before or instead, as with systemd.
UNIT_PATH = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
EXPOSURE_MAX = 12  # tenths, as systemd-analyze security --threshold counts
ANALYZE_WITHIN_S = 30
_ROOT_PATH = re.compile(r"/[A-Za-z0-9_./@+-]*")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_INSTANCE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,40}")
# Paths are compared by what they lead to, not by their letters.
_PATHS = frozenset({"ExecStart", "ReadWritePaths", "LoadCredential", "ListenStream", "User"})
_NOT_HARDENING = frozenset(
    {
        *("Type", "NotifyAccess", "ExecReload", "Group", "Sockets", "WatchdogSec", "Restart"),
        *("RestartSec", "RestartPreventExitStatus", "TimeoutStopSec", "StateDirectory"),
        *("ConfigurationDirectory", "RuntimeDirectory", "RuntimeDirectoryMode"),
        *("RuntimeDirectoryPreserve", "WorkingDirectory", "LogNamespace"),
    }
)

Directives = dict[tuple[str, str], list[str]]


class Place(Struct, frozen=True, kw_only=True):
    """For whom a unit is rendered. ``config`` empty: where the unit looks by itself."""

    prefix: str = PREFIX
    config: str = ""
    user: str = USER
    instance: str = ""


def folder() -> Path:
    """The folder of the shipped files, installed or in a checkout."""
    installed = shipped("systemd")
    return installed if installed.is_dir() else shipped("contrib/systemd")


def names() -> list[str]:
    """The files that can be printed."""
    return sorted(path.name for path in folder().iterdir() if path.suffix != ".md")


def rendered(name: str, place: Place) -> str:
    """A shipped file for other paths, another user, or one instance of a template.

    Raises:
        CommandError: there is no such file, or a value that systemd would misread.
    """
    _check(place)
    if place.instance and name in (SERVICE, SOCKET):
        name = name.replace("lowcapd.", "lowcapd@.")
    if name not in names():
        known = ", ".join(names())
        raise CommandError(f"no unit file {name[:60]!r} is shipped", hint=f"one of {known}")
    text = (folder() / name).read_text(encoding="utf-8")
    text = text.replace(f"{PREFIX}/bin/", f"{place.prefix.rstrip('/')}/bin/")
    if place.config:
        text = re.sub(r"(?<=--config )\S+", place.config, text)
    if place.user != USER:
        text = re.sub(rf"(?m)^((?:Socket)?User=){USER}$", rf"\g<1>{place.user}", text)
        text = re.sub(rf"(?m)^u {USER} ", f"g {USER} -\nu {place.user} ", text)
        text = re.sub(rf"(?m)^(d \S+ +\d+) {USER} ", rf"\g<1> {place.user} ", text)
    if place.instance:
        text = text.replace("%i", place.instance)
    return text


def _check(place: Place) -> None:
    for what, path in (("--prefix", place.prefix), ("--config", place.config)):
        if path and _ROOT_PATH.fullmatch(path) is None:
            raise CommandError(
                f"{what} {path[:60]!r}: expected an absolute path of letters, digits and ._@+-"
            )
    if _NAME.fullmatch(place.user) is None:
        raise CommandError(f"--user {place.user[:40]!r}: expected the name of a user")
    if place.instance and _INSTANCE.fullmatch(place.instance) is None:
        raise CommandError(f"--instance {place.instance[:40]!r}: expected letters, digits and _.-")


# -- reading ----------------------------------------------------------------------


def directives(text: str) -> Directives:
    """The settings of a unit file by section and key; an empty value takes back those before."""
    found: Directives = {}
    section, joined = "", ""
    for raw in text.splitlines():
        line = joined + raw.strip()
        joined = ""
        if not line or line[0] in "#;":
            continue
        if line.endswith("\\"):
            joined = line[:-1].rstrip() + " "
        elif line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            key, value = (part.strip() for part in line.split("=", 1))
            values = found.setdefault((section, key), [])
            if not value:
                values.clear()
            else:
                values.append(value)
    return found


def installed(name: str, environ: Mapping[str, str]) -> Path | None:
    """Where systemd would find a unit; None where it is not installed."""
    for place in _unit_path(environ):
        if (path := place / name).is_file():
            return path
    return None


def _unit_path(environ: Mapping[str, str]) -> list[Path]:
    given = environ.get("SYSTEMD_UNIT_PATH", "")
    named = [Path(part) for part in given.split(":") if part]
    if given and not given.endswith(":"):
        return named
    return [*named, *map(Path, UNIT_PATH)]


def drop_ins(path: Path, environ: Mapping[str, str]) -> list[Path]:
    """The ``name.d/*.conf`` files that change a unit, in the order in which they count."""
    found: dict[str, Path] = {}
    for place in [path.parent, *_unit_path(environ)]:
        for extra in (place / f"{path.name}.d").glob("*.conf"):
            found.setdefault(extra.name, extra)
    return [found[name] for name in sorted(found)]


# -- comparing --------------------------------------------------------------------


def compare(ours: Directives, theirs: Directives) -> Iterable[Finding]:
    """What a unit lacks of the shipped one. What it has beside is its owner's business."""
    if any(value.lower() in ("yes", "true", "1", "on") for value in _of(theirs, "PrivateUsers")):
        why = "PrivateUsers=yes hides who is on the other end of the control socket"
        yield fail("unit", why, "take it out: every operator would come as user 65534")
    for (section, key), wanted in ours.items():
        have = theirs.get((section, key), [])
        if have == wanted or key in _PATHS:
            continue
        want = _line(key, wanted)
        if section == "Service" and key not in _NOT_HARDENING:
            have_text = f", it says {_line(key, have)}" if (section, key) in theirs else ""
            yield warn("unit", f"missing hardening: {want}{have_text}", "lowcapctl unit print")
        elif section != "Install":
            have_text = _line(key, have) if have else "nothing"
            yield warn("unit", f"{have_text}, where the shipped unit says {want}")


def _of(unit: Directives, key: str) -> list[str]:
    return unit.get(("Service", key), [])


def _line(key: str, values: list[str]) -> str:
    return " ".join(f"{key}={value}" for value in values) or f"{key}="


def _program(unit: Directives) -> Iterable[Finding]:
    """Whether what is started is there, with a configuration."""
    words = (_of(unit, "ExecStart") or [""])[-1].split()
    if not words:
        yield fail("unit", "no ExecStart", "lowcapctl unit print")
        return
    program = Path(words[0].lstrip("-@:+!"))
    if not os.access(program, os.X_OK):
        yield fail("unit", f"ExecStart: {program} is no program", "see docs/install.md")
    if program.is_relative_to("/home") or program.is_relative_to("/root"):
        yield fail("unit", f"{program} lies where ProtectHome=yes hides it", "install to /opt")
    if "--config" in words[:-1]:
        config = Path(words[words.index("--config") + 1])
        if "%" not in str(config) and not config.is_file():
            yield fail("unit", f"ExecStart: {config} is not there", "see docs/install.md")


def check_unit(path: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Everything to be said about one unit file and its drop-ins.

    Raises:
        CommandError: it is no unit of ours, or cannot be read.
    """
    instance = re.sub(r"^[^@]*@?|\.[a-z]+$", "", path.name)
    name = path.name.replace(f"@{instance}.", "@.")
    if name not in names():
        raise CommandError(f"{path.name} is no unit of lowcap", hint=f"one of {', '.join(names())}")
    extras = drop_ins(path, environ)
    try:
        text = "\n".join(part.read_text(encoding="utf-8") for part in (path, *extras))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    ours = (folder() / name).read_text(encoding="utf-8")
    if instance:
        text, ours = text.replace("%i", instance), ours.replace("%i", instance)
    theirs = directives(text)
    found = list(compare(directives(ours), theirs))
    if name.endswith(".service"):
        found += _program(theirs)
    found += _by_systemd(path)
    if not found:
        more = f" with {len(extras)} drop-ins" if extras else ""
        found.append(ok("unit", f"{path}{more}: current, hardened"))
    return found


def _by_systemd(path: Path) -> Iterable[Finding]:
    """What systemd itself says: nothing, where all is well or systemd is not here."""
    if shutil.which("systemd-analyze") is None:
        yield warn("unit", "systemd-analyze is not here: not verified", "apt-get install systemd")
        return
    verified = _analyze("verify", "--man=no", str(path))
    for line in verified.stderr.splitlines()[:10]:
        yield fail("unit", f"systemd-analyze verify: {line}")
    if verified.returncode and not verified.stderr:
        yield fail("unit", f"systemd-analyze verify ends with {verified.returncode}")
    if path.suffix != ".service":
        return
    scored = _analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(path))
    if scored.returncode:
        last = [line for line in scored.stdout.splitlines() if "exposure level" in line]
        told = last[-1].strip(" →") if last else scored.stderr.strip()[:200]
        yield warn("unit", f"systemd-analyze security: {told}", "lowcapctl unit print")


def _analyze(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemd-analyze", *words],
            capture_output=True,
            text=True,
            timeout=ANALYZE_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer in {ANALYZE_WITHIN_S} s")


def check_installed(instance: str, environ: Mapping[str, str]) -> list[Finding]:
    """The installed service and socket."""
    found: list[Finding] = []
    for name in (SERVICE, SOCKET):
        wanted = name.replace("lowcapd.", "lowcapd@.") if instance else name
        path = installed(wanted, environ)
        if path is None:
            found.append(warn("unit", f"{wanted} is not installed", "see docs/install.md"))
        else:
            found += check_unit(path, environ)
    return found


def config_of_service(environ: Mapping[str, str]) -> str:
    """The configuration that the installed service reads; empty where none is installed."""
    words = _of_installed("ExecStart", environ).split()
    return words[words.index("--config") + 1] if "--config" in words[:-1] else ""


def state_of_service(environ: Mapping[str, str]) -> str:
    """The StateDirectory of the installed service; empty where none is installed."""
    return _of_installed("StateDirectory", environ)


def _of_installed(key: str, environ: Mapping[str, str]) -> str:
    path = installed(SERVICE, environ)
    if path is None:
        return ""
    try:
        parts = (path, *drop_ins(path, environ))
        text = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    except (OSError, UnicodeDecodeError):
        return ""
    return (_of(directives(text), key) or [""])[-1]
