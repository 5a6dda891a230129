"""CoinGecko's market pages: their rows, the table made of many, and its form on disk."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

import msgspec
from msgspec import Struct

from lowcap.core.caps import USABLE_MS, CapTable
from lowcap.core.money import ZERO

PAGE_COINS_MAX = 250  # the most that the server gives
PAGE_BYTES_MAX = 4_194_304
# More than all money there is: not a capitalisation.
CAP_USD_MAX = Decimal(10) ** 15
MS_PER_H = 3_600_000
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Coin(Struct, frozen=True):
    """What one row says: ticker in capitals, capitalisation in USD or None, when it was read."""

    ticker: str
    usd: Decimal | None
    seen_ms: int


class _Row(Struct):
    id: str
    symbol: str
    market_cap: Decimal | None = None


class _Saved(Struct, kw_only=True):
    """The file. ``pages`` says when each page was last read, in wall milliseconds."""

    version: int
    pages: dict[int, int]
    coins: dict[str, Coin]


_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
_row = msgspec.json.Decoder(_Row)
_saved = msgspec.json.Decoder(_Saved)
_VERSION = 1
_LATEST_MS = 10**14


def read_page(body: bytes, now_ms: int) -> dict[str, Coin] | str:
    """The coins of a page by CoinGecko id, or what is wrong with it (docs/feeds.md).

    A row that cannot be read is left out; so is nothing but such rows a fault.
    """
    if len(body) > PAGE_BYTES_MAX:
        return f"larger than {PAGE_BYTES_MAX} bytes"
    try:
        rows = _raw_rows.decode(body)
    except _UNREADABLE:
        return "not a list of coins"
    if len(rows) > PAGE_COINS_MAX:
        return f"more than {PAGE_COINS_MAX} coins"
    coins = {}
    for raw in rows:
        try:
            row = _row.decode(raw)
        except _UNREADABLE:
            continue
        if 0 < len(row.id) <= 100 and 0 < len(row.symbol) <= 40 and row.symbol.isascii():
            coins[row.id] = Coin(row.symbol.upper(), _usd(row.market_cap), now_ms)
    return coins if coins or not rows else "no row of it can be read"


def _usd(cap: Decimal | None) -> Decimal | None:
    """Whole dollars; null, 0 and what is no amount of money are all unknown."""
    if cap is None or not cap.is_finite() or not 1 <= cap <= CAP_USD_MAX:
        return None
    return Decimal(int(cap))


def table_of(
    coins: Mapping[str, Coin],
    tickers: AbstractSet[str],
    curated: Mapping[str, str],
    loaded_ms: int,
) -> CapTable:
    """The capitalisations of all ``tickers`` that are known.

    Tickers collide. One with a ``curated`` CoinGecko id takes only that coin,
    whatever its row calls it; any other takes the largest of its name.
    """
    usd: dict[str, Decimal] = {}
    for coin in coins.values():
        if coin.usd is not None and coin.ticker in tickers and coin.ticker not in curated:
            usd[coin.ticker] = max(coin.usd, usd.get(coin.ticker, ZERO))
    for ticker, name in curated.items():
        chosen = coins.get(name)
        if ticker in tickers and chosen is not None and chosen.usd is not None:
            usd[ticker] = chosen.usd
    return CapTable(usd=usd, loaded_ms=loaded_ms)


def without_old(coins: Mapping[str, Coin], now_ms: int, rest_h: int) -> dict[str, Coin]:
    """``coins`` less those that no page has shown for two rounds, and for a day at least."""
    oldest_ms = now_ms - max(USABLE_MS, 2 * rest_h * MS_PER_H)
    return {name: coin for name, coin in coins.items() if coin.seen_ms >= oldest_ms}


def to_bytes(coins: Mapping[str, Coin], pages: Mapping[int, int]) -> bytes:
    """The cache file's content."""
    return msgspec.json.encode(_Saved(version=_VERSION, pages=dict(pages), coins=dict(coins)))


def from_bytes(content: bytes) -> tuple[dict[str, Coin], dict[int, int]] | str:
    """Coins and page times of a cache file, or what is wrong with it."""
    try:
        saved = _saved.decode(content)
    except _UNREADABLE:
        return "damaged"
    if saved.version != _VERSION:
        return f"of version {saved.version}, not {_VERSION}"
    amounts = [coin.usd for coin in saved.coins.values() if coin.usd is not None]
    times_ms = [*saved.pages.values(), *(coin.seen_ms for coin in saved.coins.values())]
    if None in map(_usd, amounts) or not all(0 <= at_ms <= _LATEST_MS for at_ms in times_ms):
        return "damaged"
    return saved.coins, saved.pages
