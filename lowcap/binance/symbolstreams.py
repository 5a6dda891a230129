"""Streams of the symbols that have a position or an order: book, trades and candles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import msgspec
import trio

from lowcap.binance.handover import Handover
from lowcap.binance.markets import BOOK, CANDLE, TRADE, Markets
from lowcap.binance.rest import RestClient, VenueRefused
from lowcap.core.clock import Clock
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.net.net import Net
from lowcap.net.wire import Wire, WireLimits, run_wire

# Each stream is carried by one route (docs/venue.md §1).
ROUTES = {"public": (BOOK,), "market": (TRADE, CANDLE)}
# An acknowledgement proves nothing: only frames do (docs/venue.md §7).
SILENT_S = 60.0
CONTROL_APART_S = 0.5
# A symbol that is traded again soon finds its connection open.
LINGER_S = 60.0
LIMITS = WireLimits(ping_every_s=10, pong_within_s=10, queue_frames=1_024)

_encode = msgspec.json.Encoder().encode


class SymbolStreams:
    """Follows the wanted symbols on both routes; no connection is held while there are none."""

    def __init__(
        self, net: Net, base_url: str, rest: RestClient, clock: Clock, chance: random.Random
    ) -> None:
        self.markets = Markets(clock)
        self._net = net
        self._base_url = base_url.rstrip("/")
        self._rest = rest
        self._chance = chance
        self._wanted: frozenset[str] = frozenset()
        self._changed = trio.Event()

    def want(self, symbols: Iterable[str]) -> None:
        """Follow these symbols and no others."""
        wanted = frozenset(symbols)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self.markets.keep(wanted)
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def run(self) -> None:
        """Keep the streams of both routes up until cancelled."""
        async with trio.open_nursery() as nursery:
            for route, kinds in ROUTES.items():
                nursery.start_soon(self._follow, route, kinds)
            nursery.start_soon(self._read_history)

    async def _follow(self, route: str, kinds: tuple[str, ...]) -> None:
        async def connect(on_up: Callable[[], None]) -> None:
            await self._connect(route, kinds, on_up)

        while True:
            while not self._wanted:
                await self._changed.wait()
            async with trio.open_nursery() as nursery:
                # How old the data is tells of every loss.
                nursery.start_soon(Handover(connect, lambda why: None, self._chance).run)
                await self._idle()
                nursery.cancel_scope.cancel(reason="nothing is traded")

    async def _idle(self) -> None:
        """Until nothing has been wanted for a while."""
        while True:
            while self._wanted:
                await self._changed.wait()
            with trio.move_on_after(LINGER_S) as scope:
                while not self._wanted:
                    await self._changed.wait()
            if scope.cancelled_caught:
                return

    async def _connect(self, route: str, kinds: tuple[str, ...], on_up: Callable[[], None]) -> None:
        heard = [trio.Event()]

        def on_frame(frame: bytes) -> None:
            heard[0].set()
            self.markets.take(frame)

        async def session(wire: Wire) -> None:
            on_up()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._notice_silence, heard)
                await self._subscribe(wire, kinds)

        url = f"{self._base_url}/{route}/stream"
        await run_wire(self._net, url, on_frame, session, limits=LIMITS)

    async def _subscribe(self, wire: Wire, kinds: tuple[str, ...]) -> None:
        """Ask for what is wanted and is not there yet, and let go of the rest."""
        there: set[str] = set()
        number = 0
        while True:
            symbols = self._wanted
            wanted = {f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds}
            for method, names in (("SUBSCRIBE", wanted - there), ("UNSUBSCRIBE", there - wanted)):
                if names:
                    number += 1
                    request = {"method": method, "params": sorted(names), "id": number}
                    try:
                        wire.send_now(_encode(request))
                    except NotSent as error:
                        raise ConnectionLost(error.message) from error
            there = wanted
            await trio.sleep(CONTROL_APART_S)
            while self._wanted == symbols:
                await self._changed.wait()

    async def _notice_silence(self, heard: list[trio.Event]) -> None:
        """Raises ConnectionLost where streams are wanted and nothing comes."""
        while True:
            heard[0] = trio.Event()
            await trio.sleep(SILENT_S)
            if self._wanted and not heard[0].is_set():
                raise ConnectionLost(f"nothing for {SILENT_S:g} s")

    async def _read_history(self) -> None:
        """The candles of the last hour, for each symbol that is new."""
        read: frozenset[str] = frozenset()
        while True:
            symbols = self._wanted
            for symbol in sorted(symbols - read):
                try:
                    self.markets.fold_history(symbol, await self._rest.candles(symbol))
                except (VenueRefused, NotSent, NoAnswer):
                    continue  # they come minute by minute
            read = symbols
            while self._wanted == symbols:
                await self._changed.wait()
