"""US payroll prints: which figure is the headline, what it says, which band it falls in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from attrs import frozen
from msgspec import Struct

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import Failure, NewsItem
from lowcap.core.messages import Reading as Figure
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts, no, symbol_faults
from lowcap.detection.phrases import Group
from lowcap.detection.text import normalise

NEW_YORK = ZoneInfo("America/New_York")
_WINDOW = (time(8, 29, 55), time(8, 35))
_US = r"(?:(?:US|U\.S\.|USA|United States) )?"
_PAYROLLS = re.compile(
    _US + r"(?:total )?(?:(?:nonfarm|non-farm|non farm) payrolls?|NFP)"
    r"(?: change| \((?:SA|MoM|m/m|change|total)\))?",
    re.IGNORECASE,
)
_RATE = re.compile(
    _US + r"(?:U-3 unemployment rate|unemployment rate|UNR|U-?3)(?: \(SA\))?", re.IGNORECASE
)
_COUNTRIES = frozenset({"us", "usa", "united states"})
_AMOUNT = re.compile(r"([+-]?)\s*(\d[\d, ]*(?:\.\d+)?|\.\d+)\s*([KM]?)", re.IGNORECASE)
_PERCENT = re.compile(r"([+-]?)\s*(\d[\d, ]*(?:\.\d+)?|\.\d+)\s*%?")
_GROUPS = re.compile(r"\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_SUFFIXES = {"K": 1_000, "M": 1_000_000}
_THOUSANDS = frozenset({"k", "thousand", "thousands"})
_PERSONS = frozenset({"job", "jobs", "person", "persons", "people", "employees", "workers"})
_SMALL = 2_000
_NAME_MAX, _VALUE_MAX = 100, 28  # longer is no headline and no figure
AHEAD_MS_MAX = 5_000
_TIME_MS_MAX = 32_503_680_000_000  # the year 3000: the calendar ends before the number does
_SANE_JOBS = (Decimal(-25_000_000), Decimal(6_000_000))
_SANE_RATE = (Decimal(1), Decimal(25))
_MOVE = Decimal("0.1")
RATES = ("in-line", "up", "down")
REGIMES = ("risk_on_strong", "inverted", "off")


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

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not self.stream_id.strip():
            yield "stream_id: expected the stream's id"
        if self.rate not in RATES:
            yield f"rate: expected one of {', '.join(RATES)}, not {self.rate!r}"
        if self.above is not None and self.at_least is not None:
            yield "above: expected either above or at_least"
        if self.at_most is not None and self.below is not None:
            yield "at_most: expected either at_most or below"
        low = self.above if self.above is not None else self.at_least
        high = self.at_most if self.at_most is not None else self.below
        if low is None and high is None:
            yield "at_most: expected a band: above or at_least, at_most or below"
        if low is not None and high is not None and low >= high:
            yield "at_most: expected the upper end of the band above the lower"
        yield from symbol_faults(self.symbols)

    def holds(self, jobs: Decimal) -> bool:
        """Whether a print lies in this band."""
        return (
            (self.above is None or jobs > self.above)
            and (self.at_most is None or jobs <= self.at_most)
            and (self.at_least is None or jobs >= self.at_least)
            and (self.below is None or jobs < self.below)
        )


@frozen(kw_only=True)
class PayrollPolicy:
    """How prints turn into sides; set by a person, never inferred.

    ``macro_regime``: ``risk_on_strong`` (strong jobs buy), ``inverted`` (they
    sell), ``off``. ``surprise_guard`` vetoes a side that contradicts the sign
    of actual less forecast.
    """

    macro_regime: str = "risk_on_strong"
    surprise_guard: bool = False


class Print(Struct, frozen=True):
    """A payroll release as understood.

    Jobs, what the rate did against its reference, the New York day, and the
    jobs above the forecast where there was one.
    """

    jobs: Decimal
    rate_move: str
    day: str
    surprise: Decimal | None = None


class PayrollReading:
    """Compiled form of ``PayrollMatch``; all payroll triggers share one key a New York day."""

    groups: tuple[Group, ...] = ()
    has_topic = False

    def __init__(self, match: PayrollMatch, key: str, side: Side, policy: PayrollPolicy) -> None:
        self._match = match
        self._key = key
        self.lookout: dict[str, tuple[Group, ...]] = {}
        self.names = frozenset({match.stream_id.lower()})
        self._policy = policy
        self._side = side.opposite if policy.macro_regime == "inverted" else side

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Read the release, then compare it with this trigger's band."""
        if item.readings is None or item.source != self._match.stream_id:
            return no("source", item.source[:60])
        release = texts.once("release", lambda: read_release(item))
        if isinstance(release, No):
            return release
        key = f"{self._key}:{release.day}"
        shown = f"{release.jobs} jobs, rate {release.rate_move}"
        failed = []
        if not self._match.holds(release.jobs):
            failed.append(Failure("band", shown))
        if release.rate_move != self._match.rate:
            failed.append(Failure("rate", shown))
        if self._policy.macro_regime == "off":
            failed.append(Failure("regime", "macro_regime is off"))
        against = release.surprise is not None and release.surprise * self._side.sign < 0
        if self._policy.surprise_guard and against:
            failed.append(Failure("surprise", f"{release.surprise} jobs against the forecast"))
        if failed:
            return No(tuple(failed), near=True, decides=key)
        return Hit(
            tuple((s, key) for s in self._match.symbols), (shown,), decides=key, side=self._side
        )


def read_release(item: NewsItem) -> Print | No:
    """The headline print of a release frame, or why there is none to trade on."""
    received_ms = item.received_ns // NS_PER_MS
    if item.time_ms is None or not 0 < item.time_ms < _TIME_MS_MAX:
        return no("time", "no usable release time", near=True)
    if item.time_ms > received_ms + AHEAD_MS_MAX:
        ahead_ms = item.time_ms - received_ms
        return no("time", f"{ahead_ms} ms ahead of our clock", near=True)
    moment = datetime.fromtimestamp(item.time_ms / 1000, UTC).astimezone(NEW_YORK)
    if moment.weekday() >= 5 or not _WINDOW[0] <= moment.time() <= _WINDOW[1]:
        return no("time", f"{moment:%a %H:%M:%S} New York is no release time", near=True)
    figures = item.readings or ()
    prints = [f for f in figures if _is_headline(f, _PAYROLLS)]
    jobs = {value for f in prints if (value := jobs_value(f.actual, f.unit)) is not None}
    if not jobs:
        return no("no-print", "no payroll figure with a value", near=True)
    if len(jobs) > 1:
        return no("ambiguous", "two payroll figures with different values", near=True)
    moves = _rate_moves(figures)
    if len(moves) > 1:
        return no("ambiguous", "two jobless rates that differ", near=True)
    value = jobs.pop()
    forecasts = (jobs_value(f.forecast, f.unit) for f in prints)
    forecast = next((each for each in forecasts if each is not None), None)
    return Print(
        value,
        moves.pop() if moves else "in-line",
        f"{moment:%Y-%m-%d}",
        None if forecast is None else value - forecast,
    )


def _is_headline(figure: Figure, pattern: re.Pattern[str]) -> bool:
    if len(figure.name) > _NAME_MAX:
        return False
    name = " ".join(normalise(figure.name).split())
    ours = figure.country is None or figure.country.strip().lower() in _COUNTRIES
    return ours and pattern.fullmatch(name) is not None


def _rate_moves(figures: tuple[Figure, ...]) -> set[str]:
    """What the headline rates of a release did: ``up``, ``down``, ``in-line``.

    More than one where figures contradict each other, none where there is no
    rate or nothing to compare it with.
    """
    rates = [figure for figure in figures if _is_headline(figure, _RATE)]
    actuals = {value for f in rates if (value := rate_value(f.actual)) is not None}
    if len(actuals) > 1:
        return {"up", "down"}
    return {move for figure in rates if (move := _rate_move(figure)) is not None}


def _rate_move(figure: Figure) -> str | None:
    """The jobless rate against its forecast, else its past; None without either."""
    actual = rate_value(figure.actual)
    reference = rate_value(figure.forecast)
    if reference is None:
        reference = rate_value(figure.previous)
    if actual is None or reference is None:
        return None
    move = (actual - reference).quantize(Decimal("0.001"))
    if abs(move) < _MOVE:
        return "in-line"
    return "up" if move > 0 else "down"


def jobs_value(raw: object, unit: str) -> Decimal | None:
    """Jobs as a whole number of people, or None where ``raw`` has no usable value."""
    suffix = ""
    if isinstance(raw, str):
        match = _AMOUNT.fullmatch(_short(raw))
        value = _grouped(match[1], match[2]) if match else None
        suffix = match[3].upper() if match else ""
    else:
        value = _plain_number(raw)
    if value is None:
        return None
    scale = _SUFFIXES[suffix] if suffix else _unit_scale(unit.strip().lower(), value)
    if scale is None:
        return None
    jobs = value * scale
    if not _SANE_JOBS[0] <= jobs <= _SANE_JOBS[1] or jobs != jobs.to_integral_value():
        return None
    return jobs.to_integral_value()


def _unit_scale(unit: str, value: Decimal) -> int | None:
    """What a number without suffix counts in; None where it cannot be told."""
    if unit in _THOUSANDS:
        return 1_000
    if abs(value) >= _SMALL or unit in _PERSONS:
        return 1
    # A small number in a unit we do not know may be millions, per cent, anything.
    return 1_000 if not unit else None


def _short(raw: str) -> str:
    """A figure's text in normal form; empty where it is too long to be one."""
    return normalise(raw).strip() if len(raw) <= _VALUE_MAX else ""


def rate_value(raw: object) -> Decimal | None:
    """A jobless rate in per cent, or None. Values up to 0.5 are fractions."""
    if isinstance(raw, str):
        match = _PERCENT.fullmatch(_short(raw))
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
