"""Prices of the simulated venue from another venue's market stream, real or simulated.

Marks come from ``!markPrice@arr@1s`` and last prices from ``!miniTicker@arr``
(docs/venue.md §7); bid and ask stand a tick around the last. Symbols that the
simulator does not list are passed over. Listed ones that the other venue does
not tell, and all while it is away, are not quoted: no stream shows them, no
order on them is filled, no stop goes off.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Annotated

import msgspec
import trio
from loguru import logger
from msgspec import Meta, Struct

from lowcap.core.clock import Clock, now_ms
from lowcap.core.money import ZERO, decimal_from_wire
from lowcap.net.net import Net
from lowcap.net.session import BackOff, stay_connected
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.paper.prices import PriceBoard

PATH = "/market/stream?streams=!markPrice@arr@1s/!miniTicker@arr"
SILENT_S = 30.0
USDS_FAMILY = 1
LIMITS = WireLimits(queue_frames=1_024)


class _Row(Struct):
    """What both payloads have: ``p`` is the mark, ``c`` the last price, ``st`` the family."""

    s: str
    p: str = ""
    c: str = ""
    st: Annotated[int, Meta(ge=0)] = USDS_FAMILY


class _Frame(Struct):
    data: list[_Row]


_decoder = msgspec.json.Decoder(_Frame)


class Upstream:
    """Keeps a price board at the prices of the venue whose streams are at ``stream_url``."""

    def __init__(
        self,
        net: Net,
        stream_url: str,
        board: PriceBoard,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        board.follow()
        self._net = net
        self._url = stream_url.rstrip("/") + PATH
        self._board = board
        self._clock = clock
        self._chance = chance
        self._heard_s = 0.0
        self.frames = 0

    async def run(self) -> None:
        """Follow until cancelled; a lost or silent connection is made anew."""
        await stay_connected(
            self._connect, self._tell_lost, back_off=BackOff(), chance=self._chance
        )

    def on_frame(self, frame: bytes) -> None:
        """Take over the prices of a frame; what is none of ours is passed over."""
        try:
            rows = _decoder.decode(frame).data
        except (msgspec.MsgspecError, UnicodeError):
            return
        self._heard_s = trio.current_time()
        self.frames += 1
        at_ms = now_ms(self._clock)
        for row in rows:
            if row.st == USDS_FAMILY:
                self._board.tell(row.s, at_ms, mark=_price(row.p), last=_price(row.c))

    async def _connect(self) -> None:
        self._heard_s = trio.current_time()
        await run_wire(self._net, self._url, self.on_frame, self._until_silent, limits=LIMITS)

    async def _until_silent(self, wire: Wire) -> None:
        while trio.current_time() - self._heard_s < SILENT_S:
            await trio.sleep(1)

    def _tell_lost(self, reason: str, wait_s: float) -> None:
        told = logger.bind(kind="prices.upstream-lost")
        told.warning("{}", f"upstream prices: {reason}; next attempt in {wait_s:.1f} s")


def _price(text: str) -> Decimal | None:
    try:
        price = decimal_from_wire(text)
    except ValueError:
        return None
    return price if price > ZERO else None
