"""Where the simulator's prices come from: a seeded random walk, or a recorded market."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from decimal import Decimal

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, price_to_tick
from lowcap.paper.state import PaperQuote


class MarketLine(Struct, frozen=True):
    """A price that a capture dictates at a wall time."""

    t_ms: int
    symbol: str
    price: Decimal


class PriceBoard:
    """Current quotes of every contract, moved by ``walk`` and ``play_script``."""

    def __init__(
        self,
        listed: dict[str, tuple[Contract, Decimal]],
        *,
        seed: int,
        step_bps: float = 2.0,
        script: Iterable[MarketLine] = (),
    ) -> None:
        self._contracts = {symbol: contract for symbol, (contract, _) in listed.items()}
        self._chance = random.Random(seed)
        self._step_bps = step_bps
        self._script = sorted(script, key=lambda line: line.t_ms)
        self._scripted = {line.symbol for line in self._script}
        self._next_line = 0
        self.quotes: dict[str, PaperQuote] = {}
        for symbol, (_, price) in listed.items():
            self.set_price(symbol, price)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Put mark and last of ``symbol`` at ``price``, bid and ask one tick around it."""
        tick = self._contracts[symbol].tick
        last = max(price_to_tick(price, tick, up=False), tick)
        bid = max(last - tick, tick)
        self.quotes[symbol] = PaperQuote(mark=price, last=last, bid=bid, ask=last + tick)

    def walk(self) -> None:
        """Move every price by one random step, except those that a script dictates."""
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
        quote = self.quotes[symbol]
        moved_bps = round(self._chance.gauss(0.0, self._step_bps) * 100)
        price = quote.mark * (1_000_000 + moved_bps) / 1_000_000
        if price > ZERO:
            self.set_price(symbol, price.quantize(self._contracts[symbol].tick / 100))
