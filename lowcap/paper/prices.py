"""The simulator's prices: a seeded random walk, a recorded market, or another venue's."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec
from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, price_to_tick
from lowcap.paper.state import PaperQuote

# A followed venue tells every mark once a second; one that is older is no price to trade at.
QUOTED_MS = 1_500


class MarketLine(Struct, frozen=True):
    """A price that a capture dictates at a wall time."""

    t_ms: int
    symbol: str
    price: Decimal


class Upsets(Struct, frozen=True, kw_only=True):
    """How often a symbol's walk is broken, as chances per tick.

    A jump moves the price at once by about ``jump_bps`` hundredths of a per
    cent. In a gap the symbol stands still for ``gap_ticks`` ticks and then goes on
    about as far away as the walk would have been by then.
    """

    jump_chance: float = 0.0
    jump_bps: float = 300.0
    gap_chance: float = 0.0
    gap_ticks: int = 30


class PriceBoard:
    """Current quotes of every contract, moved by ``walk`` and ``play_script``.

    Once another venue is followed nothing walks, and what it does not tell, or
    has not told for a while, is not quoted: the price that is kept for such a
    symbol is only the last one known.
    """

    def __init__(
        self,
        listed: dict[str, tuple[Contract, Decimal]],
        *,
        seed: int,
        step_bps: float = 2.0,
        script: Iterable[MarketLine] = (),
        upsets: Upsets | None = None,
    ) -> None:
        self._contracts = {symbol: contract for symbol, (contract, _) in listed.items()}
        self._chance = random.Random(seed)
        self._step_bps = step_bps
        self._script = sorted(script, key=lambda line: line.t_ms)
        self._scripted = {line.symbol for line in self._script}
        self._next_line = 0
        self._upsets = upsets
        self._silent: dict[str, int] = {}
        self._told_ms: dict[str, int] | None = None
        self.quotes: dict[str, PaperQuote] = {}
        for symbol, (_, price) in listed.items():
            self.set_price(symbol, price)
        self.opening = {symbol: quote.last for symbol, quote in self.quotes.items()}

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Put mark and last of ``symbol`` at ``price``, bid and ask one tick around it."""
        tick = self._contracts[symbol].tick
        last = max(price_to_tick(price, tick, up=False), tick)
        bid = max(last - tick, tick)
        self.quotes[symbol] = PaperQuote(mark=price, last=last, bid=bid, ask=last + tick)

    def follow(self) -> None:
        """From now on prices are another venue's, by ``tell``; none is quoted before that."""
        self._told_ms = {}

    def tell(
        self, symbol: str, at_ms: int, *, mark: Decimal | None = None, last: Decimal | None = None
    ) -> None:
        """Put a listed symbol where the followed venue has it at wall time ``at_ms``."""
        if symbol not in self.quotes or self._told_ms is None:
            return
        if mark is not None:
            if not self.is_quoted(symbol, at_ms):
                self.set_price(symbol, mark)  # the last price is of before the silence
            self._told_ms[symbol] = at_ms
        kept = mark if mark is not None else self.quotes[symbol].mark
        if last is not None:
            self.set_price(symbol, last)
        self.quotes[symbol] = msgspec.structs.replace(self.quotes[symbol], mark=kept)

    def is_quoted(self, symbol: str, now_ms: int) -> bool:
        """Whether there is a price to trade at; only a followed venue can leave one out."""
        if self._told_ms is None:
            return True
        told_ms = self._told_ms.get(symbol)
        return told_ms is not None and now_ms - told_ms <= QUOTED_MS

    def walk(self) -> None:
        """Move every price by one random step, except those that are dictated."""
        if self._told_ms is not None:
            return
        for symbol in self.quotes:
            if symbol not in self._scripted:
                self._walk(symbol)

    def play_script(self, now_ms: int) -> Iterator[str]:
        """Set the scripted prices that are due, one at a time.

        Yields each symbol as its price is set, so that a price which holds for
        less than a tick still triggers and fills what waited for it.
        """
        while self._next_line < len(self._script) and self._script[self._next_line].t_ms <= now_ms:
            line = self._script[self._next_line]
            self._next_line += 1
            if line.symbol in self.quotes:
                self.set_price(line.symbol, line.price)
                yield line.symbol

    def _walk(self, symbol: str) -> None:
        spread_bps = self._step_bps
        if self._upsets is not None:
            spread_bps = self._spread(symbol, self._upsets)
            if not spread_bps:
                return
        quote = self.quotes[symbol]
        moved_bps = round(self._chance.gauss(0.0, spread_bps) * 100)
        price = quote.mark * (1_000_000 + moved_bps) / 1_000_000
        if price > ZERO:
            self.set_price(symbol, price.quantize(self._contracts[symbol].tick / 100))

    def _spread(self, symbol: str, upsets: Upsets) -> float:
        """How far this tick may move the price; 0 within a gap."""
        if symbol in self._silent:
            self._silent[symbol] -= 1
            if self._silent[symbol]:
                return 0.0
            del self._silent[symbol]
            return self._step_bps * math.sqrt(upsets.gap_ticks)
        if self._chance.random() < upsets.gap_chance:
            self._silent[symbol] = upsets.gap_ticks
            return 0.0
        return upsets.jump_bps if self._chance.random() < upsets.jump_chance else self._step_bps
