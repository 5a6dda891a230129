"""Keys of feeds: where they are found, and how they stay out of sight."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from lowcap.core.errors import ConnectionLost

KEY_BYTES_MAX = 4_096
HIDDEN = "***"


def read_key(name: str, auth: str, key_file: str, key_env: str, environ: Mapping[str, str]) -> str:
    """The key of feed ``name``; empty where there is none and the server may do without.

    Keep it in local variables.

    Raises:
        ConnectionLost: a key that is missing, readable by others, or no word;
            the session shows the reason and tries again.
    """
    if auth == "none":
        return ""
    key = read_credential(f"feed-{name}", key_file, key_env, environ)
    if not key and auth == "bearer":
        raise ConnectionLost(f"no key: {how_to_give(name, key_env)}")
    return key


def read_credential(name: str, key_file: str, key_env: str, environ: Mapping[str, str]) -> str:
    """A key from ``$CREDENTIALS_DIRECTORY/name``, else ``key_file``, else the variable ``key_env``.

    Empty where none of these is there; a key file that is named must be.

    Raises:
        ConnectionLost: there is one, and it cannot be used.
    """
    if folder := environ.get("CREDENTIALS_DIRECTORY", ""):
        given = Path(folder) / name
        # systemd keeps others out by an access list, which shows as group bits.
        content = _content(given, guarded=True)
        if content is not None:
            return _one_word(content, f"credential {given}")
    if key_file:
        content = _content(Path(key_file), guarded=False)
        if content is None:
            raise ConnectionLost(f"key file {key_file}: {os.strerror(errno.ENOENT)}")
        return _one_word(content, f"key file {key_file}")
    if key_env and environ.get(key_env):
        return _one_word(environ[key_env].encode(errors="replace"), f"environment {key_env}")
    return ""


def how_to_give(name: str, key_env: str) -> str:
    """What an operator can do about a missing key."""
    return f"set {key_env or f'feed.{name}.key_file'}"


def hidden(text: str, key: str) -> str:
    """``text`` without ``key``, plain or as it stands in an address."""
    if not key:
        return text
    return text.replace(key, HIDDEN).replace(quote(key, safe=""), HIDDEN)


def scrubbed(frame: bytes, key: bytes) -> bytes:
    """``frame`` without ``key``: some servers quote it in their answer to a login."""
    return frame.replace(key, HIDDEN.encode()) if key else frame


@contextmanager
def hiding(key: str) -> Iterator[None]:
    """Takes ``key`` out of the message of a ConnectionLost: a peer may quote it back."""
    try:
        yield
    except ConnectionLost as lost:
        lost.message = hidden(lost.message, key)
        lost.args = (lost.message,)
        raise


def _content(path: Path, *, guarded: bool) -> bytes | None:
    """What a key file holds; None where there is none."""
    try:
        # Without O_NONBLOCK a named pipe would hold us here for ever.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ConnectionLost(f"key file {path}: {reason}") from error
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise ConnectionLost(f"key file {path}: not a regular file")
        if not guarded and found.st_mode & 0o077:
            raise ConnectionLost(f"key file {path}: readable by others; chmod 600 {path}")
        if not guarded and found.st_uid not in (os.geteuid(), 0):
            raise ConnectionLost(f"key file {path}: of another user; chown it and chmod 600 {path}")
        return os.read(number, KEY_BYTES_MAX)
    except OSError as error:
        raise ConnectionLost(f"key file {path}: {error.strerror}") from error
    finally:
        os.close(number)


def _one_word(content: bytes, where: str) -> str:
    text = content.strip()
    # Anything else would log in anonymously, or put a second line on the wire.
    if not text or any(not 0x20 < byte < 0x7F for byte in text):
        raise ConnectionLost(f"{where}: expected one word of plain characters")
    return text.decode()
