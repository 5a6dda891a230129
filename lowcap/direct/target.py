"""Where to stop: the daemon's folder, its venue, the keys for it, and what of it all is ours."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from lowcap.binance.sign import HmacSigner, Signer, read_signer
from lowcap.config_tree import find_config, read_tree, state_folder
from lowcap.control.client import is_private, private_folder
from lowcap.core.errors import LowcapError
from lowcap.core.stopword import FLATTEN_WORD, STOP_FILE
from lowcap.core.venuefile import VenueFile, read_venue_file, write_atomically
from lowcap.execution.flatten import ours_of
from lowcap.ledger.replay import replay
from lowcap.risk.book import Book

Say = Callable[[str], None]
# Where the venues are when neither a daemon nor the configuration says so.
MODES = ("dry", "testnet", "live")
REST_URLS = {"testnet": "https://demo-fapi.binance.com", "live": "https://fapi.binance.com"}
PANIC_PREFIX = "panic-"
CREDENTIALS_OF_ROOT = "/etc/lowcap/credentials"
MADE_BY_SYSTEMD = "/run/credentials/"
ENTRY_RECV_WINDOW_MS = 1_000


class Key(Struct, frozen=True):
    """A key and where it comes from."""

    name: str
    signer: Signer

    def __repr__(self) -> str:
        return f"Key({self.name})"


class Target(Struct, frozen=True, kw_only=True):
    """A venue to flatten, and the folder in which its daemon looks for a stop file."""

    folder: Path
    venue: VenueFile
    keys: list[Key]


def find_target(places: list[Path], environ: Mapping[str, str], say: Say) -> Target:
    """The venue that the daemon of one of these control sockets trades at, else the configured one.

    Raises:
        LowcapError: no venue, or no key for it, is to be found.
    """
    folders = _folders(places, environ)
    left = [(folder, told) for folder in folders if (told := read_venue_file(folder)) is not None]
    # A daemon that is there, stuck or not, comes before what one of another day has left.
    left.sort(key=lambda pair: daemon_pid(pair[1]) is None)
    for folder, told in left[1:]:
        say(f"not meant: {told.rest_url} ({told.mode} mode) of {folder}; --socket would name it")
    for folder, told in left[:1]:
        say(f"venue: {told.rest_url} ({told.mode} mode), as the daemon left it in {folder}")
        return Target(folder=folder, venue=told, keys=_keys(told, environ))
    path = find_config(environ)
    tree = read_tree(path, environ)
    socket = str(_table(tree, "control").get("socket") or "")
    if socket and len(places) > 1:  # nobody has named a socket; the configuration does
        return find_target([Path(socket)], environ, say)
    told = _configured(tree, environ, path)
    say(f"venue: {told.rest_url} ({told.mode} mode), by {path}")
    there = [folder for folder in folders if folder.is_dir()]
    return Target(
        folder=(there or folders or [private_folder(environ)])[0],
        venue=told,
        keys=_keys(told, environ),
    )


def _folders(places: list[Path], environ: Mapping[str, str]) -> list[Path]:
    """The folders of these sockets, without one in which somebody else could have left word."""
    private = private_folder(environ)
    folders = dict.fromkeys(place.parent for place in places)
    return [
        folder
        for folder in folders
        if folder != private or not os.path.lexists(private) or is_private(private)
    ]


def _configured(tree: Mapping[str, Any], environ: Mapping[str, str], path: Path) -> VenueFile:
    """What the configuration says of the venue; faults elsewhere in it do not matter here."""
    exchange, mode = _table(tree, "exchange"), str(tree.get("mode", "dry"))
    url = str(exchange.get("rest_url") or REST_URLS.get(mode, ""))
    if not url:
        raise LowcapError(
            f"{path} means the built-in exchange, which lives in the daemon, and no daemon has "
            "left word of it",
            hint="name the daemon's socket with --socket",
            code="unreachable",
        )
    window_ms = _table(tree, "order").get("entry_recv_window_ms", ENTRY_RECV_WINDOW_MS)
    return VenueFile(
        mode=mode if mode in MODES else "live",
        rest_url=url,
        state_dir=str(state_folder(str(_table(tree, "state").get("dir", "")), environ)),
        credentials_dir=str(exchange.get("credentials_dir", "")),
        entry_recv_window_ms=window_ms if isinstance(window_ms, int) else ENTRY_RECV_WINDOW_MS,
    )


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tree.get(name)
    return found if isinstance(found, dict) else {}


# -- keys -------------------------------------------------------------------------


def _keys(told: VenueFile, environ: Mapping[str, str]) -> list[Key]:
    """The keys to try: the panic key first, then the daemon's own."""
    if told.api_secret:
        return [Key("the built-in exchange's key", HmacSigner(told.api_key, told.api_secret))]
    of_root = _credentials_of_root(told)
    places = (told.credentials_dir, environ.get("CREDENTIALS_DIRECTORY", ""), of_root)
    folders = [Path(place) for place in dict.fromkeys(places) if place]
    found: list[Key] = []
    fault: LowcapError | None = None
    for prefix, name in ((PANIC_PREFIX, "the panic key"), ("", "the daemon's own key")):
        for folder in folders:
            try:
                if not (folder / f"{prefix}api-key").exists():
                    continue
                guarded = str(folder).startswith(MADE_BY_SYSTEMD)
                signer = read_signer(folder, guarded=guarded, prefix=prefix)
            except PermissionError:
                fault = fault or LowcapError(f"no permission to look into {folder}")
            except LowcapError as error:
                fault = fault or error
            else:
                found.append(Key(f"{name} in {folder}", signer))
                break
    if not found:
        raise LowcapError(
            fault.message if fault else f"no key in {', '.join(map(str, folders))}",
            hint=fault.hint
            if fault and fault.hint
            else "run this as root, or as the daemon's "
            f"user; the files are {PANIC_PREFIX}api-key and {PANIC_PREFIX}api-secret",
            code="permission",
        )
    return found


def _credentials_of_root(told: VenueFile) -> str:
    """Root's folder of keys; an instance has its own, and must not get another account's key."""
    state = Path(told.state_dir)
    is_instance = state.parent == Path("/var/lib") and state.name.startswith("lowcap-")
    return f"/etc/{state.name}/credentials" if is_instance else CREDENTIALS_OF_ROOT


# -- the daemon -------------------------------------------------------------------


def lay_stop_file(target: Target, text: str, say: Say) -> bool:
    """Lay the stop file; from now on the daemon's gate refuses entries. False where it cannot be.

    One that is there stays, unless it asks for less than we do.
    """
    path = target.folder / STOP_FILE
    try:
        if path.is_file() and path.read_text(errors="replace").startswith(FLATTEN_WORD):
            say(f"stop file: {path} is there already")
            return True
        target.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, f"{FLATTEN_WORD} --direct: {text}\n")
    except OSError as error:
        say(f"stop file: {path} cannot be written: {error.strerror}")
        return False
    say(f"stop file: {path}")
    return True


def daemon_pid(told: VenueFile) -> int | None:
    """The process that holds the lock of a daemon's state; None where none does, or none is told.

    Only who holds the lock writes its number there: it is never a stranger's.
    """
    try:
        with (Path(told.state_dir) / "lock").open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except (OSError, ValueError):
        return None
    return None


def signal_daemon(target: Target, say: Say) -> bool:
    """SIGUSR1 to the daemon that holds the lock of its state; False where none was sent."""
    pid = daemon_pid(target.venue)
    if pid is None:
        say(f"daemon: none is seen running on {target.venue.state_dir}")
        return False
    try:
        os.kill(pid, signal.SIGUSR1)
    except OSError as error:
        say(f"daemon: process {pid} not signalled: {error.strerror}")
        return False
    say(f"daemon: SIGUSR1 sent to process {pid}")
    return True


# -- what is ours -----------------------------------------------------------------


def ours_by_ledger(target: Target, say: Say) -> dict[str, Decimal] | None:
    """What the daemon's ledger says is ours, by symbol and signed; None where it says nothing."""
    folder = Path(target.venue.state_dir) / "ledger"
    book = Book()
    try:
        if not folder.is_dir():
            say(f"ours: no ledger in {folder}")
            return None
        found = replay(folder, book.apply, repair=False)
    except (OSError, LowcapError) as error:
        say(f"ours: the ledger in {folder} cannot be read: {error}")
        return None
    if found.corrupt or not found.last_seq:
        say(f"ours: the ledger cannot be trusted: {found.corrupt or 'it is empty'}")
        return None
    ours = ours_of(book)
    names = ", ".join(f"{symbol} {qty:f}" for symbol, qty in sorted(ours.items()))
    say(f"ours by the ledger: {names or 'nothing'}")
    return ours
