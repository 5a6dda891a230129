"""The protection of positions as configured: distances make sense, a symbol is in one group."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from lowcap.detection.matchers.base import SYMBOL
from lowcap.settings import Protect, ProtectGroup, Settings

DAY_S = 86_400
# Name to the least and the largest value, both allowed; per cent where the name says so.
WITHIN: dict[str, tuple[Decimal, Decimal]] = {
    "stop_pct": (Decimal("0.05"), Decimal("49.9")),
    "atr_multiple": (Decimal(0), Decimal(20)),
    "atr_pct_max": (Decimal("0.05"), Decimal("49.9")),
    "trail_pct": (Decimal(0), Decimal("49.9")),
    "trail_step_pct": (Decimal("0.05"), Decimal(10)),
    "time_exit_s": (Decimal(0), Decimal(30 * DAY_S)),
}


def protect_faults(settings: Settings) -> Iterable[str]:
    """Every fault of ``protect`` and ``protect_for``, each with its path."""
    yield from _table("protect", settings.protect)
    home: dict[str, str] = {}
    for name, group in settings.protect_for.items():
        path = f"protect_for.{name}"
        yield from _table(path, group)
        if not group.symbols:
            yield f"{path}.symbols: expected at least one contract"
        for symbol in group.symbols:
            if SYMBOL.fullmatch(symbol) is None:
                yield f"{path}.symbols: expected a contract like BTCUSDT, not {symbol!r}"
            elif (other := home.setdefault(symbol, name)) != name:
                yield f"{path}.symbols: {symbol} is in protect_for.{other} already"


def _table(path: str, table: Protect | ProtectGroup) -> Iterable[str]:
    for name, (least, most) in WITHIN.items():
        value = getattr(table, name)
        if value is not None and not least <= value <= most:
            yield f"{path}.{name}: expected {least} to {most}"
    if table.ladder is not None:
        yield from _ladder(f"{path}.ladder", table.ladder)


def _ladder(path: str, ladder: tuple[tuple[Decimal, Decimal], ...]) -> Iterable[str]:
    shares = sum(share for share, _ in ladder)
    if shares != 100:
        yield f"{path}: expected shares that add up to 100, not {shares}"
    if not all(share > 0 and 0 < distance < 100 for share, distance in ladder):
        yield f"{path}: expected shares above 0, distances above 0 and below 100"
    if len(ladder) > 10:
        yield f"{path}: expected at most 10 legs"
