"""From a ticker in the news to a contract at the venue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_SCALES = ("1000000", "1000", "1M")
_NOT_SCALED = frozenset({"1000X"})  # a coin of that very name
# Contracts whose base differs from the ticker that people write.
RENAMED = {
    "LUNA": "LUNA2",
    "RON": "RONIN",
    "BEAM": "BEAMX",
    "DODO": "DODOX",
    "RAY": "RAYSOL",
}
# Never traded on news: pegged to something else, or a wrapper of another coin.
STABLE_OR_WRAPPED = frozenset(
    {
        *("USDT", "USDC", "FDUSD", "DAI", "USDE", "TUSD", "USD1", "PYUSD", "RLUSD", "EURI", "BUSD"),
        *("WBTC", "WETH", "STETH", "WBETH", "CBBTC", "WEETH"),
    }
)


class CoinTable:
    """Ticker to symbol, built from the venue's own list of bases. Unknown tickers do not trade."""

    def __init__(
        self, bases: Mapping[str, str], overrides: Mapping[str, str] | None = None
    ) -> None:
        self._symbols: dict[str, str] = {}
        self._overrides = dict(overrides or {})
        self.load(bases)

    def load(self, bases: Mapping[str, str]) -> None:
        """Take a new list; ``bases`` maps a contract's base to its symbol, tradable ones only."""
        self._symbols.clear()
        for base, symbol in bases.items():
            self._symbols[base] = symbol
        for base, symbol in bases.items():
            plain = _unscaled(base, bases)
            if plain != base:
                self._symbols.setdefault(plain, symbol)
        for ticker, base in (RENAMED | self._overrides).items():
            if base in bases:
                self._symbols[ticker] = bases[base]
        for ticker in STABLE_OR_WRAPPED:
            self._symbols.pop(ticker, None)

    def symbol(self, ticker: str) -> str | None:
        """The symbol to trade for ``ticker`` (capitals), or None."""
        return self._symbols.get(ticker)

    def tickers(self) -> Iterable[str]:
        """Every ticker that can be traded."""
        return self._symbols.keys()


def _unscaled(base: str, bases: Mapping[str, str]) -> str:
    """``base`` without its scale, unless the rest is itself a listed coin."""
    if base in _NOT_SCALED:
        return base
    for scale in _SCALES:
        rest = base.removeprefix(scale)
        if rest and rest != base:
            return rest if rest not in bases else base
    return base
