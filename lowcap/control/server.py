"""The control socket: one task a client, one task a request, events pushed beside the replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import msgspec
import trio

from lowcap.control.cmdline import readable_line
from lowcap.control.commands import ADMIN, BY_NAME, VIEW, Command
from lowcap.control.peer import Peer, peer_of
from lowcap.control.protocol import Json, Lines, error, notice, result
from lowcap.control.select import keep_for
from lowcap.control.session import REQUESTS_PER_MIN_MAX, Client
from lowcap.core.errors import BrokenInvariant, CommandError, LowcapError

CLIENTS_MAX = 32
ADMIN_SLOTS = 2
OWED_MAX = 8
WRITE_WITHIN_S = 2.0
FINISH_WITHIN_S = 2.0
# Never refused for being many: the commands that stop trading.
UNLIMITED = frozenset({"halt", "panic"})
# Parameters beside the arguments and options of the command table.
_COMMON = frozenset({"confirm", "since"})

Handler = Callable[[Json, Peer], Awaitable[Any]]


class Done(NamedTuple):
    """A command that changes something, who sent it, and its answer."""

    method: str
    peer: Peer
    command_line: str
    reply: Json
    took_s: float


class Source(Protocol):
    """What the server offers: a greeting and handlers by method."""

    handlers: dict[str, Handler]

    def hello(self) -> Json:
        """The first message of every session."""
        ...

    def on_bug(self, method: str, bug: Exception) -> None:
        """A handler failed in a way that nobody foresaw."""
        ...

    def on_done(self, done: Done) -> None:
        """A command that changes something was answered, or refused."""
        ...

    def may_enter(self, peer: Peer) -> bool:
        """Whether this user has not been sent away for good."""
        ...

    def on_denied(self, peer: Peer, wanted: str) -> bool:
        """Somebody asked for more than is theirs; whether that is to be written down."""
        ...

    def on_session(self, peer: Peer) -> None:
        """Somebody has come to stay: a session that follows events."""
        ...


class ControlServer:
    """Serves clients on any listener of byte streams."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._clients: dict[Client, None] = {}
        self._numbers = 0
        self._looking = trio.Lock()

    @property
    def clients(self) -> int:
        """How many operators are connected."""
        return len(self._clients)

    def is_followed(self, kind: str) -> bool:
        """Whether anybody follows a kind: what costs something to show is not made for nobody."""
        return any(client.follows == kind for client in self._clients)

    def publish(self, kind: str, value: Json) -> None:
        """Push one event or log line to everybody who follows its kind."""
        for client in self._clients:
            if client.follows == kind and client.keep(value):
                client.push(notice("event", value))

    def sessions(self) -> list[Json]:
        """Who is connected, in the order of their coming."""
        now_s = trio.current_time()
        return [client.row(now_s) for client in self._clients]

    def dismiss(self, wanted: Callable[[Client], bool], why: str) -> int:
        """Let sessions go; returns how many."""
        gone = [client for client in self._clients if wanted(client)]
        for client in gone:
            client.dismiss(why)
        return len(gone)

    def say_bye(self) -> None:
        """Tell everybody that the daemon ends."""
        for client in self._clients:
            client.farewell = "the daemon ends"
            client.push(notice("bye", {"reason": client.farewell}))

    async def handle(self, stream: trio.SocketStream) -> None:
        """One client from hello to goodbye. Its end never ends anything else."""
        peer = peer_of(stream.socket)
        refusal = self._refusal(peer)
        if refusal is not None:
            await _write(stream, refusal)
            await trio.aclose_forcefully(stream)
            return
        self._numbers += 1
        client = Client(self._numbers, peer)
        self._clients[client] = None
        try:
            async with trio.open_nursery() as nursery:
                client.push(notice("hello", self._source.hello() | {"role": peer.role}))
                nursery.start_soon(self._write_all, stream, client, nursery.cancel_scope)
                await self._read_all(stream, client, nursery)
                nursery.cancel_scope.cancel(reason="the client has left")
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it hung up in the middle of something
        finally:
            self._clients.pop(client, None)
            await trio.aclose_forcefully(stream)

    # -- who may come in --------------------------------------------------------

    def _refusal(self, peer: Peer) -> Json | None:
        if not peer.role or not self._source.may_enter(peer):
            self._source.on_denied(peer, "connect")
            return error(
                None,
                "permission",
                f"user {peer.uid} may not control this daemon",
                "add yourself to group lowcap, lowcap-trade or lowcap-admin",
            )
        limit = CLIENTS_MAX if peer.role == ADMIN else CLIENTS_MAX - ADMIN_SLOTS
        if len(self._clients) >= limit and not self._make_room(peer):
            return error(None, "busy", f"{len(self._clients)} clients are connected already")
        return None

    def _make_room(self, peer: Peer) -> bool:
        """Onlookers never keep out those who can stop trading: the oldest one goes."""
        below = [client for client in self._clients if not client.peer.may(peer.role)]
        if not below:
            return False
        lowest = min(below, key=lambda client: client.peer.rank)
        del self._clients[lowest]
        lowest.dismiss("somebody who may do more needs the place")
        return True

    # -- requests ---------------------------------------------------------------

    async def _read_all(
        self, stream: trio.abc.ReceiveStream, client: Client, nursery: trio.Nursery
    ) -> None:
        """Take lines until the end; what was asked before it is still carried out."""
        lines = Lines()
        try:
            while data := bytes(await stream.receive_some(65_536)):
                for line in lines.feed(data):
                    self._take(line, client, nursery)
        except trio.BrokenResourceError:
            pass  # it hung up with our words unread
        with trio.move_on_after(FINISH_WITHIN_S):
            while client.owed:
                await trio.sleep(0.01)

    def _take(self, line: bytes | None, client: Client, nursery: trio.Nursery) -> None:
        client.heard_s = trio.current_time()
        if client.farewell or (line is not None and not line.strip()):
            return
        try:
            message = _request_in(line)
        except CommandError as failure:
            if not client.is_too_fast(trio.current_time()):
                client.push(error(None, failure.code, failure.message))
            return
        number, method, params = message.get("id"), message["method"], message.get("params") or {}
        if not isinstance(number, (int, str)) or isinstance(number, bool):
            number = None
        if method == "$/cancel":
            self._cancel(client, params.get("id"))
            return
        typed = _typed(client.peer, message)
        try:
            command = self._admit(client, number, method, params)
            wanted = _known_params(command, params)
            if number is None:
                raise CommandError("a request needs an id, a number or a word")
        except CommandError as failure:
            reply = error(number, failure.code, failure.message, failure.hint)
            # Each attempt is answered, but not each is written down: that could fill a disk.
            if failure.code == "permission" and self._source.on_denied(client.peer, method):
                self._source.on_done(Done(method, client.peer, typed, reply, 0.0))
            client.push(reply)
            return
        client.owed += 1
        scope = client.calls[number] = trio.CancelScope()
        nursery.start_soon(self._call, client, number, scope, command, wanted, typed)

    def _cancel(self, client: Client, given: object) -> None:
        client.is_too_fast(trio.current_time())
        scope = client.calls.get(given) if isinstance(given, (int, str)) else None
        if scope is not None:
            scope.cancel(reason="the operator pressed Ctrl-C")

    def _admit(
        self, client: Client, number: int | str | None, method: str, params: Json
    ) -> Command:
        """The command of a request that this client may make now.

        Raises:
            CommandError: it may not.
        """
        command = BY_NAME.get(method)
        known = command is not None and command.name in self._source.handlers
        role = command.role_for(params) if command is not None else ADMIN
        allowed = client.peer.may(role)
        stops = command is not None and command.name in UNLIMITED and allowed
        if not stops and client.is_too_fast(trio.current_time()):
            raise CommandError(
                f"more than {REQUESTS_PER_MIN_MAX} requests a minute",
                hint="wait a minute",
                code="busy",
            )
        if command is None or not known:
            raise CommandError(f"no method {method[:60]!r}")
        if not allowed:
            raise CommandError(
                f"{command.name} needs the role {role}, you have {client.peer.role}",
                hint=f"ask to be added to group lowcap-{role}",
                code="permission",
            )
        if not stops and client.owed >= OWED_MAX:
            raise CommandError(f"{client.owed} requests wait for their replies", code="busy")
        if number in client.calls:
            raise CommandError(f"request {number!r} is still being carried out")
        return command

    async def _call(
        self, client: Client, number: int | str, scope: trio.CancelScope, command: Command,
        params: Json, typed: str,
    ) -> None:  # fmt: skip
        reply = error(number, "cancelled", f"{command.name}: cancelled by the operator")
        begun_s = trio.current_time()
        try:
            with scope:
                reply = await self._answer(client, number, command, params)
        finally:
            client.calls.pop(number, None)
            client.push(reply, settles=True)
            if command.role_for(params) != VIEW:
                took_s = trio.current_time() - begun_s
                self._source.on_done(Done(command.name, client.peer, typed, reply, took_s))

    async def _answer(
        self, client: Client, number: int | str, command: Command, params: Json
    ) -> Json:
        try:
            keep = keep_for(command.name, params)
            if command.role_for(params) == VIEW:
                # One look in each round of the loop: many at once must not hold up news.
                async with self._looking:
                    await trio.lowlevel.checkpoint()
            value = await self._source.handlers[command.name](params, client.peer)
        except BrokenInvariant:
            raise  # what must always hold does not: the whole daemon stops and recovers
        except LowcapError as failure:
            return error(number, failure.code, failure.message, failure.hint)
        except Exception as bug:
            # A bug in an answer is no reason to leave positions alone: it is told, and we go on.
            self._source.on_bug(command.name, bug)
            return error(number, "internal", f"{command.name} failed: a bug", "lowcapctl logs")
        if command.follows(params):
            if command.name == "events" and not client.follows:
                self._source.on_session(client.peer)
            client.follows, client.keep = command.name, keep
        return result(number, value)

    async def _write_all(
        self, stream: trio.abc.SendStream, client: Client, scope: trio.CancelScope
    ) -> None:
        async for parcel in client.queued:
            leaving = bool(client.farewell)
            message = notice("bye", {"reason": client.farewell}) if leaving else parcel.message
            with trio.move_on_after(WRITE_WITHIN_S) as deadline:
                await stream.send_all(self._line(message))
            if leaving or deadline.cancelled_caught:
                scope.cancel(reason="the client is let go")
                return
            client.owed -= parcel.settles

    def _line(self, message: Json) -> bytes:
        try:
            return msgspec.json.encode(message) + b"\n"
        except (TypeError, ValueError) as bug:
            self._source.on_bug("encode", bug)
            fault = error(message.get("id"), "internal", "the reply cannot be written: a bug")
            return msgspec.json.encode(fault) + b"\n"


def _request_in(line: bytes | None) -> Json:
    """The request that a line holds. Strictly JSON: no NaN, no half of a surrogate pair.

    Raises:
        CommandError: none.
    """
    if line is None:
        raise CommandError("the line is longer than 64 KiB")
    try:
        message = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        raise CommandError("the line is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise CommandError("the line is not a JSON-RPC request")
    if not isinstance(message.get("params") or {}, dict):
        raise CommandError("a request needs params by name")
    return message


def _typed(peer: Peer, message: Json) -> str:
    """The command line of a request: the kernel's word, else the client's own."""
    told = message.get("typed")
    return peer.command_line or (readable_line([told]) if isinstance(told, str) else "")


def _known_params(command: Command, params: Json) -> Json:
    """The parameters that the command knows; each a word, a number, yes, no or nothing.

    Raises:
        CommandError: one is a list or an object, or no word that may stand there.
    """
    for argument in command.arguments:
        given = params.get(argument.name)
        if given is None and not argument.required:
            continue
        if argument.choices and given not in argument.choices:
            known = ", ".join(argument.choices)
            raise CommandError(f"{argument.name}: expected one of {known}")
    names = {option.name.replace("-", "_") for option in command.options} | _COMMON
    names |= {argument.name for argument in command.arguments}
    for name in names:
        if isinstance(params.get(name), (list, dict)):
            raise CommandError(f"{name}: expected a word or a number")
    return {name: value for name, value in params.items() if name in names}


async def _write(stream: trio.abc.SendStream, message: Json) -> None:
    with trio.move_on_after(WRITE_WITHIN_S):
        try:
            await stream.send_all(msgspec.json.encode(message) + b"\n")
        except trio.BrokenResourceError:
            return  # it did not wait for the answer
