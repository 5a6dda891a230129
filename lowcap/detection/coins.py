"""From a coin in the news to a contract at the venue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lowcap.detection.names import CoinNames, Curated, NameBook, curated

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


class CoinTable:
    """Ticker to symbol, built from the venue's own list of bases, and the coins' names.

    Unknown tickers do not trade, nor do stablecoins and wrapped coins.
    """

    def __init__(
        self,
        bases: Mapping[str, str],
        overrides: Mapping[str, str] | None = None,
        names: Curated | None = None,
    ) -> None:
        self._curated = names or curated()
        self._never = self._curated.never
        self._overrides = dict(overrides or {})
        self._bases: dict[str, str] = {}
        self._symbols: dict[str, str] = {}
        self._tickers: dict[str, str] = {}
        self._ranks: dict[str, int] = {}
        # Unlisted coins are in the book too: their names still claim their places in a text.
        self._book = NameBook(self._curated.coin)
        self.load(bases)

    @classmethod
    def of_symbols(cls, symbols: Mapping[str, str], names: Curated) -> CoinTable:
        """A table of given tickers and symbols, whatever a venue lists."""
        table = cls({}, None, names)
        table._take(dict(symbols))
        return table

    def load(self, bases: Mapping[str, str]) -> None:
        """Take a new list; ``bases`` maps a contract's base to its symbol, tradable ones only."""
        if bases == self._bases and bases:
            return
        self._bases = dict(bases)
        self._build()

    def override(self, overrides: Mapping[str, str]) -> None:
        """Take other tickers for bases, where news writes them unlike the contract's."""
        if overrides != self._overrides:
            self._overrides = dict(overrides)
            self._build()

    def _build(self) -> None:
        bases = self._bases
        symbols = dict(bases)
        for base, symbol in bases.items():
            plain = _unscaled(base, bases)
            if plain != base:
                symbols.setdefault(plain, symbol)
        for ticker, base in (RENAMED | self._overrides).items():
            if base in bases:
                symbols[ticker] = bases[base]
        self._take(symbols)

    def _take(self, symbols: dict[str, str]) -> None:
        for ticker in self._never:
            symbols.pop(ticker, None)
        self._symbols = symbols
        # Of several words for one contract, the one that the curated table knows.
        self._tickers = {}
        for ticker, symbol in symbols.items():
            if symbol not in self._tickers or ticker in self._curated.coin:
                self._tickers[symbol] = ticker

    def rank(self, tickers: Iterable[str]) -> None:
        """Take coins in order of capitalisation, the largest first."""
        self._ranks = {ticker: number for number, ticker in enumerate(tickers)}

    def symbol(self, ticker: str) -> str | None:
        """The symbol to trade for ``ticker`` (capitals), or None."""
        return self._symbols.get(ticker)

    def ticker(self, symbol: str) -> str:
        """The coin behind a symbol, as news calls it; empty for a symbol that is not in the table.

        For a scaled contract this is the coin itself: PEPE for 1000PEPEUSDT.
        """
        return self._tickers.get(symbol, "")

    def tickers(self) -> Iterable[str]:
        """Every ticker that can be traded."""
        return self._symbols.keys()

    def is_coin(self, ticker: str) -> bool:
        """Whether a ticker is one to trade on news at all, listed or not."""
        return ticker not in self._never

    def named(self, text: str) -> tuple[str, ...]:
        """The tradable coins that a text confirms, in order of appearance."""
        return tuple(ticker for ticker in self._book.named(text) if ticker in self._symbols)

    def largest(self, tickers: Iterable[str], most: int) -> tuple[str, ...]:
        """At most ``most`` of them: those of the largest capitalisation, unknown ones last."""
        last = len(self._ranks)
        return tuple(sorted(tickers, key=lambda t: self._ranks.get(t, last))[:most])


def _unscaled(base: str, bases: Mapping[str, str]) -> str:
    """``base`` without its scale, unless the rest is itself a listed coin."""
    if base in _NOT_SCALED:
        return base
    for scale in _SCALES:
        rest = base.removeprefix(scale)
        if rest and rest != base:
            return rest if rest not in bases else base
    return base


def universe_of(tree: Mapping[str, object]) -> CoinTable:
    """A coin table from a file of the form ``{"coins": {TICKER: {"symbol", "aliases", …}}}``.

    Raises:
        ValueError: the file has another form.
    """
    coins = tree.get("coins")
    if not isinstance(coins, dict):
        raise ValueError('expected an object with "coins"')
    symbols: dict[str, str] = {}
    names: dict[str, CoinNames] = {}
    for ticker, row in coins.items():
        if not isinstance(row, dict) or not isinstance(row.get("symbol"), str):
            raise ValueError(f"coins.{ticker}: expected an object with a symbol")
        weak = _texts(ticker, row, "weak_aliases")
        symbols[ticker] = row["symbol"]
        names[ticker] = CoinNames(
            names=tuple(name for name in _texts(ticker, row, "aliases") if name not in weak),
            weak=weak,
            word=bool(row.get("english_word")),
        )
    stable, wrapped = (_texts("", tree, key) for key in ("stablecoins", "wrapped"))
    return CoinTable.of_symbols(symbols, Curated(names, stable, wrapped))


def _texts(ticker: str, row: Mapping[str, object], key: str) -> tuple[str, ...]:
    values = row.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{ticker} {key}: expected a list of words".strip())
    return tuple(values)
