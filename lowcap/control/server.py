"""The control socket: one task a client, requests answered in turn, events pushed beside them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from lowcap.control.commands import BY_NAME
from lowcap.control.peer import Peer, peer_of
from lowcap.control.protocol import (
    Json,
    Lines,
    encode,
    error,
    notice,
    result,
)
from lowcap.core.errors import LowcapError

CLIENTS_MAX = 32
ADMIN_SLOTS = 2
EVENTS_QUEUED_MAX = 1_000
WRITE_WITHIN_S = 2.0
# Never refused for being many: the commands that stop trading.
UNLIMITED = frozenset({"halt", "panic"})
REQUESTS_PER_MIN_MAX = 200

Handler = Callable[[Json, Peer], Awaitable[Any]]


class Source(Protocol):
    """What the server offers: a greeting and handlers by method."""

    handlers: dict[str, Handler]

    def hello(self) -> Json:
        """The first message of every session."""
        ...


class Client:
    """One connected operator."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.follows: str = ""
        self.outbox, self.queued = trio.open_memory_channel[Json](EVENTS_QUEUED_MAX)
        self.dropped = False
        self.calls: dict[int | str, trio.CancelScope] = {}
        self.minute = 0.0
        self.requests = 0

    def push(self, message: Json) -> None:
        """Queue a message; a client that does not read is let go."""
        try:
            self.outbox.send_nowait(message)
        except trio.WouldBlock:
            self.dropped = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # it has left; its session task is about to notice

    def is_too_fast(self, now_s: float) -> bool:
        """Whether this client has spent its requests of the minute."""
        if now_s - self.minute >= 60:
            self.minute, self.requests = now_s, 0
        self.requests += 1
        return self.requests > REQUESTS_PER_MIN_MAX


class ControlServer:
    """Serves clients on any listener of byte streams."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        """How many operators are connected."""
        return len(self._clients)

    def publish(self, kind: str, value: Json) -> None:
        """Push one event or log line to everybody who follows its kind."""
        for client in self._clients:
            if client.follows == kind:
                client.push(notice("event", value))

    async def handle(self, stream: trio.SocketStream) -> None:
        """One client from hello to goodbye. Its end never ends anything else."""
        peer = peer_of(stream.socket)
        client = Client(peer)
        refusal = self._refusal(peer)
        if refusal is not None:
            await _write(stream, refusal)
            await trio.aclose_forcefully(stream)
            return
        self._clients.add(client)
        try:
            async with trio.open_nursery() as nursery:
                client.push(notice("hello", self._source.hello() | {"role": peer.role}))
                nursery.start_soon(self._write_all, stream, client, nursery.cancel_scope)
                await self._read_all(stream, client, nursery)
                nursery.cancel_scope.cancel(reason="the client has left")
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it hung up in the middle of something
        finally:
            self._clients.discard(client)
            await trio.aclose_forcefully(stream)

    def _refusal(self, peer: Peer) -> Json | None:
        if not peer.role:
            return error(
                None,
                "permission",
                f"user {peer.uid} may not control this daemon",
                "add yourself to group lowcap, lowcap-trade or lowcap-admin",
            )
        limit = CLIENTS_MAX if peer.role == "admin" else CLIENTS_MAX - ADMIN_SLOTS
        if len(self._clients) >= limit:
            return error(None, "busy", f"{len(self._clients)} clients are connected already")
        return None

    async def _read_all(
        self, stream: trio.abc.ReceiveStream, client: Client, nursery: trio.Nursery
    ) -> None:
        lines = Lines()
        while data := bytes(await stream.receive_some(65_536)):
            for line in lines.feed(data):
                self._take(line, client, nursery)

    def _take(self, line: bytes | None, client: Client, nursery: trio.Nursery) -> None:
        if line is None:
            client.push(error(None, "usage", "the line is longer than 64 KiB"))
            return
        if not line.strip():
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            client.push(error(None, "usage", "the line is not JSON"))
            return
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            client.push(error(None, "usage", "the line is not a JSON-RPC request"))
            return
        number, params = message.get("id"), message.get("params") or {}
        if not isinstance(number, (int, str)) or not isinstance(params, dict):
            client.push(error(None, "usage", "a request needs an id and params by name"))
            return
        if message["method"] == "$/cancel":
            scope = client.calls.get(params.get("id", ""))
            if scope is not None:
                scope.cancel(reason="the operator pressed Ctrl-C")
            return
        nursery.start_soon(self._call, client, number, message["method"], params)

    async def _call(self, client: Client, number: int | str, method: str, params: Json) -> None:
        command = BY_NAME.get(method)
        handler = self._source.handlers.get(command.name if command else method)
        if command is None or handler is None:
            client.push(error(number, "usage", f"no method {method!r}"))
            return
        if not client.peer.may(command.role):
            client.push(
                error(
                    number,
                    "permission",
                    f"{method} needs the role {command.role}, you have {client.peer.role}",
                    f"ask to be added to group lowcap-{command.role}",
                )
            )
            return
        if method not in UNLIMITED and client.is_too_fast(trio.current_time()):
            message = f"more than {REQUESTS_PER_MIN_MAX} requests a minute"
            client.push(error(number, "busy", message, "wait a minute"))
            return
        with trio.CancelScope() as scope:
            client.calls[number] = scope
            try:
                value = await handler(params, client.peer)
            except LowcapError as failure:
                client.push(error(number, failure.code, failure.message, failure.hint))
            else:
                client.push(result(number, value))
                if command.stream and params.get("follow"):
                    client.follows = command.name
            finally:
                client.calls.pop(number, None)

    async def _write_all(
        self, stream: trio.abc.SendStream, client: Client, scope: trio.CancelScope
    ) -> None:
        async for message in client.queued:
            if client.dropped:
                message = notice("bye", {"reason": "too slow: events were lost"})
            with trio.move_on_after(WRITE_WITHIN_S) as deadline:
                await stream.send_all(encode(message))
            if client.dropped or deadline.cancelled_caught:
                scope.cancel(reason="the client does not read")
                return


async def _write(stream: trio.abc.SendStream, message: Json) -> None:
    with trio.move_on_after(WRITE_WITHIN_S):
        try:
            await stream.send_all(encode(message))
        except trio.BrokenResourceError:
            return  # it did not wait for the answer
