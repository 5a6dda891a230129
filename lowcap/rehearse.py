"""What would happen to a piece of news now: judged, admitted, sized and checked, never sent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from msgspec import Struct, structs, to_builtins

from lowcap.actions import Parts
from lowcap.core.clock import NS_PER_MS
from lowcap.core.errors import CommandError
from lowcap.core.messages import Failure, NewsItem, NotNews, Refusal, Signal
from lowcap.detection.matchers.roadmap import RoadmapMatch
from lowcap.detection.matchers.text import TextMatch
from lowcap.detection.trigger import Trigger
from lowcap.feeds.session import decoder_for
from lowcap.risk.gate import wish_of

Json = dict[str, Any]
_HANDLE = re.compile(r"@?[A-Za-z0-9_]{1,30}")
_ITEM_FORMATS = {"bwe": "BWENEWS", "upbit": "Upbit"}


class Asked(Struct, frozen=True, kw_only=True):
    """Words of an operator's own, as if a feed had sent them."""

    feed: str
    text: str = ""
    author: str = ""
    source: str = ""
    frame: str = ""


def item_of(asked: Asked, parts: Parts) -> NewsItem:
    """The news item that the feed's frame, or these words, would be.

    Words by an author are an original post of that account, with the numeric
    id that the triggers know for it; others are an item of ``source``, else
    of the first source that a trigger of the feed listens to.

    Raises:
        CommandError: there is no such feed, or the frame is no news.
    """
    settings = parts.desk.settings
    feed = settings.feed.get(asked.feed)
    if feed is None:
        known = ", ".join(settings.feed)
        raise CommandError(f"no feed {asked.feed[:40]!r}", hint=f"one of {known}")
    now_ns = parts.desk.clock.now_ns()
    if asked.frame:
        item = decoder_for(asked.feed, feed).decode(asked.frame.strip().encode(), now_ns)
        if isinstance(item, NotNews):
            raise CommandError(f"the frame is no news: {item.reason}", code="refused")
        return item
    if not asked.text.strip():
        raise CommandError("try what?", hint='try --feed bwe "Visa partners with Hedera (HBAR)"')
    item = NewsItem(
        feed=asked.feed,
        received_ns=now_ns,
        source_id=f"try-{now_ns}",
        time_ms=now_ns // NS_PER_MS,
        title=asked.text,
        body=asked.text,
    )
    triggers = [t for t in settings.trigger if asked.feed in t.feeds]
    if asked.author or feed.format == "twitter":
        return _as_post(item, asked.author, feed.format, triggers)
    source = asked.source or _ITEM_FORMATS.get(feed.format) or _first_source(triggers)
    coins = parts.flow.detector.coins.named(asked.text) if feed.format == "bwe" else None
    body = "" if feed.format in ("bwe", "upbit") else asked.text
    return structs.replace(item, source=source, coins=coins, body=body, markup=feed.format)


def _as_post(item: NewsItem, author: str, markup: str, triggers: list[Trigger]) -> NewsItem:
    if _HANDLE.fullmatch(author) is None:
        raise CommandError(f"--author {author[:40]!r}: expected a handle", hint="--author elonmusk")
    handle = author.removeprefix("@").lower()
    known = {
        a.handle.lower(): a.id
        for trigger in triggers
        if isinstance(trigger.match, TextMatch | RoadmapMatch)
        for a in trigger.match.authors
    }
    return structs.replace(
        item,
        title=f"{author} (@{handle})",
        source="Twitter" if markup == "phoenix" else "",
        author_id=known.get(handle, ""),
        handles=(handle,),
        is_post=True,
        markup=markup,
    )


def _first_source(triggers: list[Trigger]) -> str:
    for trigger in triggers:
        match = trigger.match
        names = (*getattr(match, "sources", ()), *getattr(match, "streams", ()))
        names += (getattr(match, "source", ""),)
        if names[0]:
            return str(names[0])
    return ""


def rehearse(parts: Parts, item: NewsItem, only: str = "") -> Json:
    """Every answer on the way of an item, as if it came now.

    ``only`` names a trigger to ask alone, switched off or not. Nothing is
    recorded, reserved or sent.
    """
    flow = parts.flow
    enabled = frozenset({only}) if only else flow.enabled
    verdict = flow.detector.explain(item, enabled)
    misses = [miss for miss in verdict.misses if not only or miss.trigger == only]
    reason, detail = verdict.reason, verdict.detail
    if only and verdict.signal is None and misses:
        reason, detail = f"{only}: {misses[0].reason}", misses[0].detail
    told: Json = {
        "feed": item.feed,
        "author": item.handles[0] if item.handles else item.source,
        "headline": item.headline,
        "signal": None,
        "reason": reason,
        "detail": detail,
        "misses": to_builtins(misses),
        "admitted": None,
        "targets": [],
    }
    signal = verdict.signal
    if signal is None:
        return told
    told["signal"] = to_builtins(signal)
    now_ms = parts.desk.now_ms()
    answer = flow.admission.admit(signal, flow.started_ms, now_ms)
    if isinstance(answer, Failure):
        told["admitted"] = to_builtins(answer)
        answer = signal.targets
    wishes = parts.desk.wishes(answer)
    told["targets"] = [
        _target(parts, signal, target.symbol, wish)
        for target, wish in zip(answer, wishes, strict=True)
    ]
    return told


def _target(parts: Parts, signal: Signal, symbol: str, wish: tuple[Decimal, str]) -> Json:
    """What the gate would say to one symbol."""
    row: Json = {"symbol": symbol, "side": signal.side, "usd": f"{wish[0]:f}", "by": wish[1]}
    plan = parts.desk.plan(wish_of(signal, symbol, wish, 0))
    if isinstance(plan, Refusal):
        return row | {
            "refused": plan.check,
            "measured": plan.measured,
            "limit": plan.limit,
        }
    return row | {
        "qty": f"{plan.qty}",
        "price": f"{plan.price}",
        "notional_usd": f"{plan.notional_usd:.2f}",
        "sizing": plan.sizing,
    }
