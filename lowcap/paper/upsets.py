"""Faults that strike connections and listings: cut and half-open lines, filters, delisting."""

from __future__ import annotations

import msgspec
import trio

from lowcap.paper.exchange import Exchange
from lowcap.paper.faults import Fault


class Line(trio.abc.Stream):
    """A client's connection as the script reaches it: ``over`` ends it, ``is_dead`` mutes it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.route = ""
        self.over = trio.Event()
        self.is_dead = False
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What the client says; nothing of it arrives once the line is dead."""
        data = bytes(await self._stream.receive_some(max_bytes))
        while data and self.is_dead:
            data = bytes(await self._stream.receive_some(max_bytes))
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or lose it on a dead line, which looks the same from here."""
        if self.is_dead:
            await trio.lowlevel.checkpoint()
        else:
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream below has it."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()


def strike_lines(lines: list[Line], fault: Fault) -> None:
    """Carry out a ``cut`` or ``half-open`` on the connections that are open now."""
    for line in lines:
        if fault.route not in ("", line.route):
            continue
        if fault.kind == "cut":
            line.over.set()
        else:
            line.is_dead = True


def strike_listing(exchange: Exchange, fault: Fault) -> None:
    """Carry out a ``filter-change`` or ``delist``, where the symbol is listed."""
    contract = exchange.contracts.get(fault.symbol)
    if contract is None:
        return
    if fault.kind == "filter-change":
        exchange.contracts[fault.symbol] = msgspec.structs.replace(contract, **fault.change)
        return
    exchange.contracts[fault.symbol] = msgspec.structs.replace(contract, status="SETTLING")
    exchange.settlement.deliver(fault.symbol)
