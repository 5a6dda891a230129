"""Streams of the venue: the user data stream on its private route, prices on the market route."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import trio

from lowcap.binance.errors import LISTEN_KEY_GONE
from lowcap.binance.handover import Handover
from lowcap.binance.rest import RestClient, VenueRefused
from lowcap.binance.userevents import AnyEvent, KeyExpired, read_user_event
from lowcap.binance.wire import UNREADABLE, MarkUpdate, MiniTicker
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.net.net import Net
from lowcap.net.wire import Wire, WireLimits, run_wire

# A key lives for 60 minutes after it was renewed last.
KEY_EVERY_S, KEY_RETRY_S, KEY_LIVES_S = 25 * 60.0, 30.0, 55 * 60.0
LIMITS = WireLimits(ping_every_s=10, pong_within_s=10, queue_frames=1_024)


class UserStream:
    """The user data stream, kept up for ever and renewed before the venue cuts it.

    ``on_change(True, "")`` is called for every new connection: what happened
    before it has to be read from the venue.
    """

    def __init__(
        self,
        net: Net,
        base_url: str,
        rest: RestClient,
        on_event: Callable[[AnyEvent | str], None],
        on_change: Callable[[bool, str], None],
        chance: random.Random,
    ) -> None:
        self._net = net
        self._base_url = base_url.rstrip("/")
        self._rest = rest
        self._on_event = on_event
        self._on_change = on_change
        self._handover = Handover(self._connect, lambda why: on_change(False, why), chance)
        self.wire: Wire | None = None  # the newest connection, while there is one

    def renew(self) -> None:
        """Replace the connection now, new before old."""
        self._handover.renew()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._handover.run()

    async def _connect(self, on_up: Callable[[], None]) -> None:
        try:
            key = await self._rest.listen_key()
        except (VenueRefused, NotSent, NoAnswer) as error:
            raise ConnectionLost(f"listen key: {error.message}") from error
        expired = trio.Event()

        def on_frame(frame: bytes) -> None:
            event = read_user_event(frame)
            if isinstance(event, KeyExpired) and event.listen_key in ("", key):
                expired.set()
            self._on_event(event)

        async def session(wire: Wire) -> None:
            self.wire = wire
            on_up()
            self._on_change(True, "")
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_key)
                    await expired.wait()
                    raise ConnectionLost("the listen key has expired")
            finally:
                if self.wire is wire:
                    self.wire = None

        url = f"{self._base_url}/private/ws/{quote(key, safe='')}"
        await run_wire(self._net, url, on_frame, session, limits=LIMITS)

    async def _keep_key(self) -> None:
        """Renew the key in time, and again where that fails, as long as it lives.

        Raises:
            ConnectionLost: the venue knows it no more, or it must be dead by now.
        """
        renewed_s = trio.current_time()
        wait_s = KEY_EVERY_S
        while True:
            await trio.sleep(wait_s)
            try:
                await self._rest.renew_listen_key()
            except (VenueRefused, NotSent, NoAnswer) as error:
                gone = isinstance(error, VenueRefused) and error.venue_code == LISTEN_KEY_GONE
                if gone or trio.current_time() - renewed_s > KEY_LIVES_S:
                    raise ConnectionLost(f"listen key not renewed: {error.message}") from error
                wait_s = KEY_RETRY_S
            else:
                renewed_s, wait_s = trio.current_time(), KEY_EVERY_S


class PriceStream:
    """Mark and last prices of all symbols, newest wins."""

    def __init__(
        self,
        net: Net,
        base_url: str,
        on_marks: Callable[[list[MarkUpdate]], None],
        on_lasts: Callable[[list[MiniTicker]], None],
        on_change: Callable[[bool, str], None],
        chance: random.Random,
    ) -> None:
        self._net = net
        self._url = (
            base_url.rstrip("/") + "/market/stream?streams=!markPrice@arr@1s/!miniTicker@arr"
        )
        self._on_marks = on_marks
        self._on_lasts = on_lasts
        self._on_change = on_change
        self._handover = Handover(self._connect, lambda why: on_change(False, why), chance)
        self.wire: Wire | None = None  # the newest connection, while there is one

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._handover.run()

    async def _connect(self, on_up: Callable[[], None]) -> None:
        async def session(wire: Wire) -> None:
            self.wire = wire
            on_up()
            self._on_change(True, "")
            try:
                await trio.sleep_forever()
            finally:
                if self.wire is wire:
                    self.wire = None

        await run_wire(self._net, self._url, self._on_frame, session, limits=LIMITS)

    def _on_frame(self, frame: bytes) -> None:
        try:
            if b'"!markPrice' in frame[:40]:
                self._on_marks(_mark_decoder.decode(frame).data)
            elif b'"!miniTicker' in frame[:40]:
                self._on_lasts(_ticker_decoder.decode(frame).data)
        except UNREADABLE:
            return  # a price that cannot be read is a price that grows stale


class _Marks(msgspec.Struct):
    data: list[MarkUpdate]


class _Tickers(msgspec.Struct):
    data: list[MiniTicker]


_mark_decoder = msgspec.json.Decoder(_Marks)
_ticker_decoder = msgspec.json.Decoder(_Tickers)
