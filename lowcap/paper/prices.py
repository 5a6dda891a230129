"""Where the simulator's prices come from: a seeded random walk, or a recorded market."""

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
    """Current quotes of every contract, moved by ``walk`` and ``play_script``."""

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

    def dictate(self, symbol: str, *, mark: Decimal | None, last: Decimal | None) -> None:
        """Put a listed symbol where another venue has it; it no longer walks by itself."""
        if symbol not in self.quotes:
            return
        self._scripted.add(symbol)
        before, tick = self.quotes[symbol], self._contracts[symbol].tick
        if last is not None:
            self.set_price(symbol, price_to_tick(last, tick, up=False))
        if mark is not None:
            quote = self.quotes[symbol]
            self.quotes[symbol] = msgspec.structs.replace(quote, mark=mark)
        elif last is not None:
            quote = self.quotes[symbol]
            self.quotes[symbol] = msgspec.structs.replace(quote, mark=before.mark)

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
