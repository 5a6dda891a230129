"""Where a daemon trades, left in a file for ``panic --direct``, which must do without it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from lowcap.core.errors import LowcapError

VENUE_FILE = "venue.json"


class VenueFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What the file says: the venue, where ledger and keys are, how long an entry may travel.

    ``api_key`` and ``api_secret`` are there for the built-in exchange alone,
    whose keys are made anew at every start and lie nowhere else.
    """

    mode: str
    rest_url: str
    state_dir: str
    credentials_dir: str
    entry_recv_window_ms: int
    api_key: str = ""
    api_secret: str = ""

    def __repr__(self) -> str:
        return f"VenueFile({self.mode}, {self.rest_url})"


def write_atomically(path: Path, text: str) -> None:
    """A file of mode 0600 that is there in full or not at all, and survives a power loss.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def leave_venue_file(folder: Path, told: VenueFile) -> None:
    """Leave the file in ``folder``.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(folder / VENUE_FILE, json.dumps(msgspec.to_builtins(told), indent=1) + "\n")


def read_venue_file(folder: Path) -> VenueFile | None:
    """What a daemon has left in ``folder``; None where none has.

    Raises:
        LowcapError: it is there and cannot be read.
    """
    path = folder / VENUE_FILE
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            # It says where requests signed with our keys go: only who owns the folder may say so.
            if found.st_mode & 0o077 or found.st_uid not in (0, os.stat(folder).st_uid):
                raise LowcapError(f"{path} is not the daemon's alone", hint=f"remove {path}")
            return msgspec.json.decode(file.read(), type=VenueFile)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise LowcapError(
            f"no permission to read {path}",
            hint="run this as root, or as the user of the daemon",
            code="permission",
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise LowcapError(f"{path} cannot be used: {error}", hint=f"remove {path}") from error
