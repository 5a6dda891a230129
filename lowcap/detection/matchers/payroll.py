"""US payroll prints: which figure is the headline, what it says, which band it falls in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from attrs import frozen
from msgspec import Struct

from lowcap.core.messages import NewsItem
from lowcap.core.messages import Reading as Figure
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts
from lowcap.detection.text import normalise

NEW_YORK = ZoneInfo("America/New_York")
_WINDOW = (time(8, 29, 55), time(8, 35))
_US = r"(?:(?:US|U\.S\.|USA|United States) )?"
_PAYROLLS = re.compile(
    _US + r"(?:total )?(?:(?:nonfarm|non-farm|non farm) payrolls?|NFP)"
    r"(?: change| \((?:SA|MoM|m/m|change|total)\))*",
    re.IGNORECASE,
)
_RATE = re.compile(
    _US + r"(?:U-?3 unemployment rate|unemployment rate|UNR|U-?3)(?: \(SA\))?", re.IGNORECASE
)
_COUNTRIES = frozenset({"", "us", "usa", "united states"})
_AMOUNT = re.compile(r"([+-]?)\s*(\d[\d, ]*(?:\.\d+)?|\.\d+)\s*([KM]?)", re.IGNORECASE)
_PERCENT = re.compile(r"([+-]?)\s*(\d[\d, ]*(?:\.\d+)?|\.\d+)\s*%?")
_GROUPS = re.compile(r"\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_THOUSANDS = frozenset({"k", "thousand", "thousands"})
_SANE_JOBS = (Decimal(-25_000_000), Decimal(6_000_000))
_SANE_RATE = (Decimal(1), Decimal(25))
_MOVE = Decimal("0.1")


@frozen(kw_only=True)
class PayrollMatch:
    """``[trigger.match]`` of matcher ``payroll``.

    Fires when the print lies above ``above`` and at or below ``at_most`` jobs
    (or at or above ``at_least`` and below ``below``), and the unemployment
    rate did what ``rate`` says: ``in-line``, ``up`` or ``down``.
    """

    stream_id: str
    rate: str
    symbols: tuple[str, ...]
    above: int | None = None
    at_most: int | None = None
    at_least: int | None = None
    below: int | None = None

    def phrases(self) -> list[str]:
        """Prose is never read for figures."""
        return []

    def holds(self, jobs: Decimal) -> bool:
        """Whether a print lies in this band."""
        return (
            (self.above is None or jobs > self.above)
            and (self.at_most is None or jobs <= self.at_most)
            and (self.at_least is None or jobs >= self.at_least)
            and (self.below is None or jobs < self.below)
        )


class Print(Struct, frozen=True):
    """A payroll release as understood: jobs, and what the rate did against its reference."""

    jobs: Decimal
    rate_move: str
    day: str


class PayrollReading:
    """Compiled form of ``PayrollMatch``; all payroll triggers share one key a New York day."""

    def __init__(self, match: PayrollMatch, key: str) -> None:
        self._match = match
        self._key = key

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Read the release, then compare it with this trigger's band."""
        if item.readings is None or item.source != self._match.stream_id:
            return No("source")
        release = read_release(item)
        if isinstance(release, No):
            return release
        key = f"{self._key}:{release.day}"
        shown = f"{release.jobs} jobs, rate {release.rate_move}"
        if not self._match.holds(release.jobs):
            return No("band", shown, near=True, decides=key)
        if release.rate_move != self._match.rate:
            return No("rate", shown, near=True, decides=key)
        return Hit(tuple((s, key) for s in self._match.symbols), (shown,))


def read_release(item: NewsItem) -> Print | No:
    """The headline print of a release frame, or why there is none to trade on."""
    if item.time_ms is None:
        return No("time", "no usable release time", near=True)
    moment = datetime.fromtimestamp(item.time_ms / 1000, UTC).astimezone(NEW_YORK)
    if moment.weekday() >= 5 or not _WINDOW[0] <= moment.time() <= _WINDOW[1]:
        return No("time", f"{moment:%a %H:%M:%S} New York is no release time", near=True)
    figures = item.readings or ()
    prints = [f for f in figures if _is_headline(f, _PAYROLLS)]
    jobs = {value for f in prints if (value := jobs_value(f.actual, f.unit)) is not None}
    if not jobs:
        return No("no-print", "no payroll figure with a value", near=True)
    if len(jobs) > 1:
        return No("ambiguous", "two payroll figures with different values", near=True)
    return Print(jobs.pop(), _rate_move(figures), f"{moment:%Y-%m-%d}")


def _is_headline(figure: Figure, pattern: re.Pattern[str]) -> bool:
    name = " ".join(normalise(figure.name).split())
    return pattern.fullmatch(name) is not None and figure.country.lower() in _COUNTRIES


def _rate_move(figures: tuple[Figure, ...]) -> str:
    """``up``, ``down`` or ``in-line``: the jobless rate against its forecast, else its past."""
    for figure in figures:
        if not _is_headline(figure, _RATE):
            continue
        actual = rate_value(figure.actual)
        reference = rate_value(figure.forecast)
        if reference is None:
            reference = rate_value(figure.previous)
        if actual is None or reference is None:
            return "in-line"
        move = (actual - reference).quantize(Decimal("0.001"))
        if abs(move) >= _MOVE:
            return "up" if move > 0 else "down"
    return "in-line"


def jobs_value(raw: object, unit: str) -> Decimal | None:
    """Jobs as a whole number of people, or None where ``raw`` has no usable value."""
    scale = Decimal(1)
    if isinstance(raw, str):
        match = _AMOUNT.fullmatch(normalise(raw).strip())
        value = _grouped(match[1], match[2]) if match else None
        suffix = match[3].upper() if match else ""
        scale = {"K": Decimal(1_000), "M": Decimal(1_000_000)}.get(suffix, Decimal(1))
    else:
        value, suffix = _plain_number(raw), ""
    if value is None:
        return None
    if not suffix and (unit.lower() in _THOUSANDS or (not unit and abs(value) < 2_000)):
        scale = Decimal(1_000)
    jobs = value * scale
    return jobs if _SANE_JOBS[0] <= jobs <= _SANE_JOBS[1] else None


def rate_value(raw: object) -> Decimal | None:
    """A jobless rate in per cent, or None. Values up to 0.5 are fractions."""
    if isinstance(raw, str):
        match = _PERCENT.fullmatch(normalise(raw).strip())
        value = _grouped(match[1], match[2]) if match else None
    else:
        value = _plain_number(raw)
    if value is None:
        return None
    if Decimal(0) < value <= Decimal("0.5"):
        value *= 100
    return value if _SANE_RATE[0] <= value <= _SANE_RATE[1] else None


def _grouped(sign: str, digits: str) -> Decimal | None:
    digits = digits.strip()
    if _GROUPS.fullmatch(digits) is None or not digits.isascii():
        return None
    try:
        return Decimal(sign + digits.replace(",", "").replace(" ", ""))
    except InvalidOperation:
        return None


def _plain_number(raw: object) -> Decimal | None:
    """A JSON number; booleans and everything else have no value."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        return None
    value = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    return value if value.is_finite() else None
