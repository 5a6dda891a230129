"""Trigger tables compiled into one judge: an item in, a verdict out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lowcap.core.messages import Failure, Miss, NewsItem, Signal, Verdict
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Reading, Texts, Unfit, no
from lowcap.detection.matchers.payroll import PayrollPolicy
from lowcap.detection.scan import PhraseIndex
from lowcap.detection.signals import miss_of, signal_of
from lowcap.detection.text import stale_mark
from lowcap.detection.trigger import Trigger, compile_trigger

FAULT, DISABLED, SHADOWED, CLAIMED = "fault", "disabled", "shadowed", "claimed"
_POST_VIEWS = frozenset({"own", "line"})
_Rule = tuple[Trigger, Reading]


class _Listeners:
    """The triggers that listen to one feed, and which words make one worth asking."""

    def __init__(self) -> None:
        self.rules: list[_Rule] = []
        self._always: list[int] = []
        self._known: dict[str, str] = {}
        # By kind (post or not), view, and phrase: the rules that want it.
        self._wanted: dict[bool, dict[str, dict[str, list[int]]]] = {True: {}, False: {}}

    def add(self, trigger: Trigger, reading: Reading) -> None:
        """Let one more trigger listen."""
        number = len(self.rules)
        self.rules.append((trigger, reading))
        for name in reading.names:
            self._known.setdefault(name, trigger.id)
        if not reading.lookout:
            self._always.append(number)
        for view, groups in reading.lookout.items():
            by_phrase = self._wanted[view in _POST_VIEWS].setdefault(view, {})
            for phrase in {phrase for group in groups for phrase in group.anchors}:
                by_phrase.setdefault(phrase, []).append(number)

    def candidates(self, item: NewsItem, texts: Texts) -> list[_Rule]:
        """The rules whose words occur, and those that look for no words, in table order."""
        found = set(self._always)
        for view, by_phrase in self._wanted[item.is_post].items():
            for phrase in texts.scan(view).found:
                if phrase in by_phrase:
                    found.update(by_phrase[phrase])
        return [self.rules[number] for number in sorted(found)]

    def why_nobody(self, item: NewsItem) -> str:
        """The reason where no rule came near: known sender or not."""
        for name in (*item.handles, item.source.lower()):
            if name in self._known:
                return f"{self._known[name]}: no-phrase"
        return f"{self.rules[0][0].id}: {'author' if item.is_post else 'source'}"


class Detector:
    """Judges items by the triggers of their feed; the first that fires wins, in table order.

    A trigger whose first list of phrases has no word in the text is not even
    asked, so the cost of an item does not grow with the number of triggers.
    """

    def __init__(
        self,
        triggers: Iterable[Trigger],
        hedge: tuple[str, ...],
        coins: CoinTable,
        policy: PayrollPolicy | None = None,
    ) -> None:
        self.coins = coins
        self._feeds: dict[str, _Listeners] = {}
        phrases: set[str] = set()
        for trigger in triggers:
            reading = compile_trigger(trigger, hedge, policy or PayrollPolicy())
            for group in reading.groups:
                phrases |= group.parts
            for feed in trigger.feeds:
                self._feeds.setdefault(feed, _Listeners()).add(trigger, reading)
        self._index = PhraseIndex(phrases)

    def judge(self, item: NewsItem, enabled: frozenset[str]) -> Verdict:
        """The verdict on ``item`` by the triggers named in ``enabled``, as of its own time.

        Its misses are those of the triggers that were worth asking.
        """
        return self._judge(item, enabled, everyone=False)

    def explain(self, item: NewsItem, enabled: frozenset[str]) -> Verdict:
        """The same verdict, with the answer of every trigger that listens to the feed."""
        return self._judge(item, enabled, everyone=True)

    def _judge(self, item: NewsItem, enabled: frozenset[str], *, everyone: bool) -> Verdict:
        listeners = self._feeds.get(item.feed)
        if listeners is None:
            return Verdict(reason="no-trigger-listens")
        texts = Texts(item, self._index)
        if texts.too_long:
            return Verdict(reason="too-long")
        try:
            if mark := stale_mark(texts.text(_marked_view(item))):
                return Verdict(reason="stale", detail=f"it says {mark}")
            asked = listeners.rules if everyone else listeners.candidates(item, texts)
            signal, misses = self._ask(asked, item, texts, enabled)
        except Unfit:
            return Verdict(reason="grows", detail="its normal form is more than twice as long")
        if signal is not None:
            return Verdict(signal=signal, misses=misses)
        nearest = next((miss for miss in misses if miss.near), None)
        if nearest is None:
            return Verdict(reason=listeners.why_nobody(item), misses=misses)
        reason = f"{nearest.trigger}: {nearest.reason}"
        return Verdict(reason=reason, detail=nearest.detail, misses=misses)

    def _ask(
        self, rules: list[_Rule], item: NewsItem, texts: Texts, enabled: frozenset[str]
    ) -> tuple[Signal | None, tuple[Miss, ...]]:
        signal: Signal | None = None
        claimed = ""
        misses: list[Miss] = []
        for trigger, reading in rules:
            on = trigger.id in enabled
            answer = self._answer(reading, item, texts)
            if isinstance(answer, No):
                misses.append(miss_of(trigger, answer, *(() if on else (Failure(DISABLED),))))
                claims = answer.claims
            else:
                claims = reading.has_topic
                obstacle = _obstacle(on, signal, claimed)
                if obstacle is None:
                    signal = signal_of(trigger, item, answer)
                else:
                    told = No((), near=True, matched=answer.matched)
                    misses.append(miss_of(trigger, told, obstacle))
            if claims:
                claimed = claimed or trigger.id
        return signal, tuple(misses)

    def _answer(self, reading: Reading, item: NewsItem, texts: Texts) -> Hit | No:
        try:
            return reading.judge(item, texts, self.coins)
        except Unfit:
            raise
        except Exception as fault:
            # A bug in one rule must not cost the others this item: the flow turns it off.
            return no(FAULT, f"{type(fault).__name__}: {fault}")


def _marked_view(item: NewsItem) -> str:
    """Where a feed marks what it delivers again: posts of X and Synoptic have no title."""
    return "title" if item.markup in ("", "tree", "phoenix") else "body"


def _obstacle(on: bool, signal: Signal | None, claimed: str) -> Failure | None:
    """What keeps a trigger from firing although its conditions hold."""
    if not on:
        return Failure(DISABLED)
    if signal is not None:
        return Failure(SHADOWED, f"by {signal.trigger}")
    if claimed:
        return Failure(CLAIMED, f"it is the topic of {claimed}")
    return None
