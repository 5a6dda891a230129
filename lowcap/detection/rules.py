"""Trigger tables compiled into one judge: an item in, a verdict out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, frozen

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import Miss, NewsItem, Signal, Target, Verdict
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Reading, Texts
from lowcap.detection.matchers.listing import ListingMatch, ListingReading
from lowcap.detection.matchers.payroll import PayrollMatch, PayrollReading
from lowcap.detection.matchers.post import PostMatch, PostReading
from lowcap.detection.phrases import PhraseIndex
from lowcap.detection.text import stale_mark

FAULT = "fault"
AnyMatch = PayrollMatch | ListingMatch | PostMatch
MATCHERS: dict[str, type[AnyMatch]] = {
    "payroll": PayrollMatch,
    "listing": ListingMatch,
    "post": PostMatch,
}


@frozen(kw_only=True)
class Trigger:
    """One ``[[trigger]]`` table. Ages and cool-downs in seconds, notional in USD.

    ``stand_in`` marks ids that are not the real ones: such a trigger is off in live mode.
    """

    id: str
    feeds: tuple[str, ...]
    side: Side
    matcher: str
    match: AnyMatch
    key: str
    enabled: bool = True
    stand_in: bool = False
    tier: str = "regular"
    max_age_s: int = 15
    cooldown_s: int = 600
    notional_usd: dict[str, Decimal] = Factory(dict)


class Detector:
    """Judges items by all triggers of their feed; the first that fires wins, in table order."""

    def __init__(
        self, triggers: Iterable[Trigger], hedge: tuple[str, ...], coins: CoinTable
    ) -> None:
        self._coins = coins
        self._rules: dict[str, list[tuple[Trigger, Reading]]] = {}
        phrases = list(hedge)
        for trigger in triggers:
            reading = _compile(trigger, hedge)
            phrases += trigger.match.phrases()
            for feed in trigger.feeds:
                self._rules.setdefault(feed, []).append((trigger, reading))
        self._index = PhraseIndex(phrases)

    def judge(self, item: NewsItem, is_enabled: frozenset[str]) -> Verdict:
        """The verdict on ``item`` by the triggers named in ``is_enabled``, as of its own time."""
        rules = self._rules.get(item.feed, [])
        if not rules:
            return Verdict(reason="no-trigger-listens")
        texts = Texts(item, lambda: self._index)
        if texts.too_long:
            return Verdict(reason="too-long")
        if mark := stale_mark(texts.text("title")):
            return Verdict(reason="stale", detail=f"the title says {mark}")
        signal: Signal | None = None
        misses: list[Miss] = []
        for trigger, reading in rules:
            if trigger.id not in is_enabled:
                misses.append(Miss(trigger.id, "disabled"))
                continue
            try:
                answer = reading.judge(item, texts, self._coins)
            except Exception as fault:
                # A bug in one rule must not cost the others this item: the flow turns it off.
                misses.append(Miss(trigger.id, FAULT, f"{type(fault).__name__}: {fault}"))
                continue
            if isinstance(answer, No):
                misses.append(
                    Miss(trigger.id, answer.reason, answer.detail, answer.near, answer.decides)
                )
            elif signal is not None:
                misses.append(Miss(trigger.id, "shadowed", f"by {signal.trigger}", near=True))
            else:
                signal = _signal(trigger, item, answer)
        reason, detail = ("", "") if signal else _main_reason(misses)
        return Verdict(signal=signal, reason=reason, detail=detail, misses=tuple(misses))


def _compile(trigger: Trigger, hedge: tuple[str, ...]) -> Reading:
    match = trigger.match
    if isinstance(match, PayrollMatch):
        return PayrollReading(match, trigger.key)
    if isinstance(match, ListingMatch):
        return ListingReading(match, trigger.key)
    return PostReading(match, hedge, trigger.key)


def _signal(
    trigger: Trigger,
    item: NewsItem,
    hit: Hit,
) -> Signal:
    received_ms = item.received_ns // NS_PER_MS
    # A clock ahead of ours by more than 5 s, or none at all: the receive time stands in.
    age_ms = received_ms - item.time_ms if item.time_ms is not None else 0
    if age_ms < -5_000:
        age_ms = 0
    return Signal(
        trigger=trigger.id,
        feed=item.feed,
        side=trigger.side,
        targets=tuple(
            Target(symbol=symbol, key=key, notional_usd=trigger.notional_usd.get(symbol))
            for symbol, key in hit.targets
        ),
        matched=hit.matched,
        decides=hit.decides,
        tier=trigger.tier,
        age_ms=max(age_ms, 0),
        age_ms_max=trigger.max_age_s * 1000,
        cooldown_s=trigger.cooldown_s,
    )


def _main_reason(misses: list[Miss]) -> tuple[str, str]:
    """The reason to show: that of the trigger that came nearest, else the first."""
    nearest = next((miss for miss in misses if miss.near), misses[0])
    return f"{nearest.trigger}: {nearest.reason}", nearest.detail
