"""From a rule's answer to what the flow acts on and what the ledger keeps of it."""

from __future__ import annotations

import hashlib
import re

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import Failure, Miss, NewsItem, Signal, Target
from lowcap.core.money import Side
from lowcap.detection.matchers.base import Hit, No
from lowcap.detection.text import normalise, without_urls
from lowcap.detection.trigger import BY_ID, BY_TITLE, Trigger

# A clock ahead of ours by more than this is no clock.
AHEAD_MS_MAX = 5_000
_NO_WORD = re.compile(r"[\W_]+")


def signal_of(trigger: Trigger, item: NewsItem, hit: Hit) -> Signal:
    """The signal that a hit is. Without a usable time of its own an item counts as just sent."""
    received_ms = item.received_ns // NS_PER_MS
    age_ms = received_ms - item.time_ms if item.time_ms is not None else 0
    suspect = item.time_ms is None or age_ms < -AHEAD_MS_MAX
    return Signal(
        trigger=trigger.id,
        feed=item.feed,
        side=hit.side or trigger.side or Side.BUY,
        targets=tuple(
            Target(symbol=symbol, key=key, notional_usd=trigger.notional_usd.get(symbol))
            for symbol, key in hit.targets
        ),
        matched=hit.matched,
        decides=hit.decides,
        once=_story_key(trigger, item),
        once_s=trigger.once_s,
        tier=trigger.tier,
        age_ms=0 if suspect else max(age_ms, 0),
        age_ms_max=trigger.max_age_s * 1000,
        step_ms=item.step_ms,
        time_suspect=suspect,
        cooldown_s=trigger.cooldown_s,
        executions_per_hour=trigger.executions_per_hour,
    )


def _story_key(trigger: Trigger, item: NewsItem) -> str:
    if trigger.once == BY_ID and item.source_id:
        return f"{trigger.key}:id:{item.source_id[:80]}"
    if trigger.once == BY_TITLE:
        return f"{trigger.key}:story:{fingerprint(item.title or item.body)}"
    return ""


def fingerprint(title: str) -> str:
    """What stays of a title however it is written: sixteen hexadecimal digits.

    First line, normalised, lower case, without addresses and punctuation.
    """
    line = without_urls(normalise(title).strip()).split("\n", 1)[0]
    words = _NO_WORD.sub(" ", line.lower()).strip()
    return hashlib.blake2s(words.encode("utf-8", "replace"), digest_size=8).hexdigest()


def miss_of(trigger: Trigger, answer: No, *extra: Failure) -> Miss:
    """Why a trigger did not fire, for the ledger; ``extra`` stands before its own reasons."""
    failed = (*extra, *answer.failed)
    return Miss(
        trigger.id,
        failed[0].reason,
        failed[0].detail,
        answer.near,
        answer.decides,
        failed,
        answer.matched,
        answer.blocking,
    )
