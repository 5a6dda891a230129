"""A trigger as configured: one ``[[trigger]]`` table, and the matcher that it selects."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, frozen

from lowcap.core.money import Side
from lowcap.detection.matchers.base import Reading
from lowcap.detection.matchers.listing import ListingMatch, ListingReading
from lowcap.detection.matchers.mention import MentionMatch, MentionReading
from lowcap.detection.matchers.payroll import PayrollMatch, PayrollPolicy, PayrollReading
from lowcap.detection.matchers.roadmap import RoadmapMatch, RoadmapReading
from lowcap.detection.matchers.text import TextMatch, TextReading

AnyMatch = PayrollMatch | ListingMatch | TextMatch | MentionMatch | RoadmapMatch
MATCHERS: dict[str, type[AnyMatch]] = {
    "text": TextMatch,
    "mention": MentionMatch,
    "roadmap": RoadmapMatch,
    "listing": ListingMatch,
    "payroll": PayrollMatch,
}
TIERS = ("macro", "regular", "batch")
# Name to the least and the largest value, both allowed.
WITHIN: dict[str, tuple[int, int]] = {
    "max_age_s": (1, 86_400),
    "cooldown_s": (0, 31_536_000),
    "once_s": (0, 31_536_000),
    "time_exit_s": (0, 31_536_000),
    "executions_per_hour": (0, 1_000),
}
BATCH = "batch"
BY_ID, BY_TITLE = "id", "title"


@frozen(kw_only=True)
class Trigger:
    """One ``[[trigger]]`` table. Ages and cool-downs in seconds, notional in USD.

    ``side`` is None where the matcher decides (``"EITHER"`` in the file).
    ``key`` is the stem of the dedupe keys, closed for ``cooldown_s`` by a
    trade. ``once`` closes the story as well, known by the post's ``id`` or by
    its ``title``, for ``once_s``. ``stand_in`` marks ids that are not the real
    ones: such a trigger is off in live mode. ``executions_per_hour`` stands
    in the place of ``limits.executions_per_hour_max``; 0 leaves it to that.
    """

    id: str
    feeds: tuple[str, ...]
    matcher: str
    match: AnyMatch
    key: str
    side: Side | None
    enabled: bool = True
    stand_in: bool = False
    tier: str = "regular"
    max_age_s: int = 15
    cooldown_s: int = 600
    executions_per_hour: int = 0
    once: str = ""
    once_s: int = 86_400
    time_exit_s: int = 0
    notional_usd: dict[str, Decimal] = Factory(dict)

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if self.tier not in TIERS:
            yield f"tier: expected one of {', '.join(TIERS)}, not {self.tier!r}"
        for name, (least, most) in WITHIN.items():
            if not least <= getattr(self, name) <= most:
                yield f"{name}: expected {least} to {most}"
        if not self.key.strip():
            yield "key: expected the stem of the dedupe key"
        if self.once not in ("", BY_ID, BY_TITLE):
            yield f'once: expected "{BY_ID}", "{BY_TITLE}" or nothing, not {self.once!r}'
        if (self.side is None) != isinstance(self.match, MentionMatch):
            yield 'side: expected "EITHER" for matcher mention, "BUY" or "SELL" for the others'
        for fault in self.match.faults():
            yield f"match.{fault}"


def compile_trigger(trigger: Trigger, hedge: tuple[str, ...], policy: PayrollPolicy) -> Reading:
    """The matcher of a trigger, ready to judge."""
    match = trigger.match
    if isinstance(match, PayrollMatch):
        return PayrollReading(match, trigger.key, trigger.side or Side.BUY, policy)
    if isinstance(match, ListingMatch):
        return ListingReading(match, trigger.key)
    if isinstance(match, MentionMatch):
        return MentionReading(match, hedge, trigger.key)
    if isinstance(match, RoadmapMatch):
        return RoadmapReading(match, hedge, trigger.key)
    return TextReading(match, hedge, trigger.key)
