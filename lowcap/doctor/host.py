"""The machine and what lies on it: limits, disk, permissions, Python, journal."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from lowcap.doctor.findings import Finding, fail, ok, warn

PYTHON_LEAST = (3, 11)
# 32 operators, the feeds, the streams, and room for reconnections.
FILES_LEAST = 1_024
FREE_MB_LEAST, FREE_MB_GOOD = 200, 2_000
SYNC_MS_GOOD, SYNC_TRIES = 50.0, 5
GROUPS = ("lowcap", "lowcap-trade", "lowcap-admin")
# With LogNamespace= the daemon's own journal has a socket of its own.
JOURNALS = ("/run/systemd/journal.lowcap/socket", "/run/systemd/journal/socket")


def python_and_terminal(environ: Mapping[str, str]) -> Iterable[Finding]:
    """Interpreter, encoding, terminal."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_LEAST:
        yield fail("python", f"Python {version}", "lowcap needs 3.11 or newer")
    else:
        yield ok("python", f"Python {version} at {sys.executable}")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        why = f"output is {sys.stdout.encoding}: headlines in Korean will not be readable"
        yield warn("locale", why, "export LC_ALL=C.UTF-8")
    else:
        yield ok("locale", f"UTF-8, {environ.get('LC_ALL') or environ.get('LANG') or 'default'}")
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        term = environ.get("TERM", "")
        if term in ("", "dumb"):
            yield warn("terminal", f"TERM={term!r}: no prompt, no full screen", "export TERM=xterm")
        elif columns < 44:
            yield warn("terminal", f"{columns} columns; pages are made for 44 and more")
        else:
            yield ok("terminal", f"{term}, {columns} columns")


def limits(pid: int | None) -> Iterable[Finding]:
    """Open files, locked memory and cores: of the daemon where it may be seen, else our own."""
    whose, found = "this shell", _own_limits()
    if pid is not None and (theirs := _limits_of(pid)) is not None:
        whose, found = f"the daemon (process {pid})", theirs
    files, core = found["files"], found["core_bytes"]
    text = f"{whose}: {files} open files, locked memory {_size(found['locked_bytes'])}"
    text += f", core dumps {'off' if core == 0 else _size(core)}"
    if files is not None and files < FILES_LEAST:
        yield fail("limits", text, f"LimitNOFILE={FILES_LEAST} in the unit, or ulimit -n", **found)
    elif pid is not None and whose != "this shell" and core != 0:
        yield warn("limits", f"{text}: a core would hold keys", "LimitCORE=0 in the unit", **found)
    else:
        yield ok("limits", text, **found)


def _own_limits() -> dict[str, int | None]:
    names = ("files", "locked_bytes", "core_bytes")
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_CORE)
    soft = (resource.getrlimit(kind)[0] for kind in kinds)
    return {
        name: None if value == resource.RLIM_INFINITY else value
        for name, value in zip(names, soft, strict=True)
    }


def _limits_of(pid: int) -> dict[str, int | None] | None:
    titles = {
        "Max open files": "files",
        "Max locked memory": "locked_bytes",
        "Max core file size": "core_bytes",
    }
    found: dict[str, int | None] = {}
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        for title, name in titles.items():
            if line.startswith(title):
                soft = line[len(title) :].split()[0]
                found[name] = int(soft) if soft.isdecimal() else None
    return found if len(found) == len(titles) else None


def _size(count: int | None) -> str:
    if count is None:
        return "unlimited"
    return f"{count / 1e6:,.0f} MB" if count >= 1_000_000 else f"{count / 1e3:,.0f} kB"


def disk(folder: Path) -> Iterable[Finding]:
    """Room for the ledger, and how long the disk takes to make a write last."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free_mb = shutil.disk_usage(there).free // 1_000_000
    text = f"{free_mb:,} MB free for {folder}"
    if free_mb < FREE_MB_LEAST:
        yield fail("disk", text, "make room: without a ledger nothing is traded", free_mb=free_mb)
    elif free_mb < FREE_MB_GOOD:
        yield warn("disk", text, "make room, or set state.keep_days lower", free_mb=free_mb)
    else:
        yield ok("disk", text, free_mb=free_mb)
    if there != folder:
        yield warn("disk", f"{folder} is not there yet", "the daemon makes it when it starts")
        return
    try:
        took_ms = _sync_ms(folder)
    except PermissionError:
        why = f"no permission to write in {folder}: its speed was not measured"
        yield warn("disk", why, "run this as root or as the daemon's user")
        return
    except OSError as error:
        yield fail("disk", f"{folder}: {error.strerror}", "the ledger cannot be written")
        return
    text = f"a write lasts after {took_ms:.1f} ms (median of {SYNC_TRIES})"
    found = ok if took_ms <= SYNC_MS_GOOD else warn
    yield found("disk", text, sync_ms=round(took_ms, 2))


def _sync_ms(folder: Path) -> float:
    took_ns = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(SYNC_TRIES):
            began_ns = time.perf_counter_ns()
            file.write(b"x" * 4_096)
            file.flush()
            os.fdatasync(file.fileno())
            took_ns.append(time.perf_counter_ns() - began_ns)
    return sorted(took_ns)[SYNC_TRIES // 2] / 1e6


# -- permissions ------------------------------------------------------------------


def files(config: Path, credentials: Iterable[Path], keys: Iterable[Path]) -> Iterable[Finding]:
    """Nobody else may change the configuration, or read a key."""
    found = False
    for path in (config, *sorted((config.parent / "config.d").glob("*.toml"))):
        mode = _mode(path)
        if mode is not None and mode & 0o002:
            yield fail("files", f"{path} may be changed by everybody", f"chmod o-w {path}")
            found = True
    seen: list[Path] = []
    for folder in dict.fromkeys(credentials):
        mode = _mode(folder)
        if mode is None:
            continue
        if mode & 0o022:
            yield fail("files", f"{folder} may be changed by others", f"chmod 700 {folder}")
            found = True
        try:
            seen += sorted(path for path in folder.iterdir() if path.is_file())
        except PermissionError:
            yield ok("files", f"{folder} is closed to us, as it should be to all but its owner")
    for path in (*seen, *keys):
        mode = _mode(path)
        if mode is not None and mode & 0o077:
            yield fail("files", f"the key {path} is readable by others", f"chmod 600 {path}")
            found = True
    if not found:
        yield ok(
            "files", f"{config} and {len(seen)} key files: nobody else may change or read them"
        )


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def groups() -> Iterable[Finding]:
    """The groups that give roles, and those of whoever asks."""
    missing = [name for name in GROUPS if _group(name) is None]
    if missing:
        text = f"no group {', '.join(missing)}: only root and the daemon's user may connect"
        yield warn("groups", text, "systemd-sysusers, with lowcap.sysusers.conf installed")
    if os.geteuid() == 0:
        yield ok("groups", "you are root: admin")
        return
    name = _user(os.geteuid())
    mine = {*os.getgroups(), os.getegid()}
    roles = [group for group in GROUPS if _group(group) in mine]
    if not missing and "lowcap" not in roles:
        remedy = f"usermod -aG lowcap {name}, then log in again"
        yield warn("groups", f"{name} is not in group lowcap and may not connect", remedy)
    elif roles:
        yield ok("groups", f"{name}: {', '.join(roles)}")


def _group(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def control_socket(place: Path | None) -> Iterable[Finding]:
    """The socket that answered: only owner and group may open it."""
    mode = _mode(place) if place is not None else None
    if place is None or mode is None:
        return
    if mode & 0o007:
        yield fail("socket", f"{place} is open to everybody", f"chmod 660 {place}")
    else:
        yield ok("socket", f"{place}, mode {mode:o}")


def journal() -> Iterable[Finding]:
    """Whether a journal listens."""
    there = next((name for name in JOURNALS if os.path.exists(name)), None)
    if there is None:
        yield warn("journal", "no journal here: the log goes to a file or to the terminal")
    else:
        yield ok("journal", there)
