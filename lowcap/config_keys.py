"""What is known of every key: what it may be, its unit, whether it is hot, one line of help.

The bounds are those that the check itself uses; nothing is written down twice.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple, get_args, get_origin

import attrs

from lowcap.alerts.alert import LEVELS
from lowcap.config_check import (
    ABOVE_ZERO,
    AT_MOST,
    CEILINGS,
    CHOICES,
    FEED_FORMATS,
    FEED_WITHIN,
    NEVER_OFF,
    WITHIN,
    Bound,
)
from lowcap.config_help import HELP
from lowcap.config_measure import TARGET_MS_MAX
from lowcap.config_notify import COALESCE_S_MAX, KINDS
from lowcap.config_protect import WITHIN as PROTECT_WITHIN
from lowcap.config_values import Parts, built_in, split_key, to_tree
from lowcap.core.errors import CommandError
from lowcap.detection.matchers.payroll import RATES, REGIMES
from lowcap.detection.trigger import MATCHERS, TIERS, Trigger
from lowcap.detection.trigger import WITHIN as TRIGGER_WITHIN
from lowcap.settings import Settings

# What is read anew at each use, or compiled from settings alone. The rest is wired at start.
HOT = (
    *("trigger", "hedge", "coin_overrides", "payroll"),
    *("sizing", "limits", "order", "leverage", "protect", "protect_for", "log", "notify"),
)
# Places, programs and keys: whoever could set these from afar could read files of the daemon's
# user, or run what they like as that user. They are written by hand, into a file.
BY_HAND = (
    *("state", "control", "exchange", "feed", "caps", "metrics", "notify.sink"),
    "paper.upstream_url",
)
# A value under such a name is never shown. The stem of a trigger's dedupe keys is no secret.
_SECRET = re.compile(r"(?:.+_)?(?:token|secret|password|passphrase|api_key|user_key|private_key)")
_NAMED = ("feed", "protect_for", "trigger", "coin_overrides")
_UNITS = (
    (r"_usdt", "USDT"),
    (r"_usd(_max)?", "USD"),
    (r"_pct(_max)?", "%"),
    (r"_ms(_max)?", "ms"),
    (r"_per_s_max", "a second"),
    (r"_per_min_max", "a minute"),
    (r"_per_hour(_max)?", "an hour"),
    (r"_per_day_max", "a day"),
    (r"_s(_max)?", "s"),
    (r"_min", "min"),
    (r"_h", "h"),
    (r"_days", "days"),
    (r"_bps", "1/100 %"),
    (r"_bytes(_max)?", "bytes"),
)
_KINDS: dict[Any, str] = {str: "text", int: "whole number", bool: "true or false"}
_KINDS[Decimal] = "number"


class Key(NamedTuple):
    """A key of the configuration; ``*`` in it stands for a name that the operator chooses."""

    pattern: str
    kind: str
    default: Any
    required: bool = False
    matcher: str = ""

    @property
    def hot(self) -> bool:
        """Whether it can change without a restart."""
        return is_hot(tuple(self.pattern.split(".")))

    @property
    def environment(self) -> str:
        """The variable that sets it; empty where none can: such names are lower case, no lists."""
        if self.pattern == "mode":
            return "LOWCAP_MODE"
        parts = self.pattern.split(".")
        if len(parts) < 2 or parts[0] in ("trigger", "coin_overrides") or parts[-1] == "*":
            return ""
        return "LOWCAP_" + "__".join("NAME" if part == "*" else part.upper() for part in parts)


def pattern_of(parts: Parts) -> str:
    """The pattern that a key falls under."""
    shown = list(parts)
    if len(parts) > 1 and parts[0] in _NAMED:
        shown[1] = "*"
    if parts[:2] == ("notify", "sink") and len(parts) > 2:
        shown[2] = "*"
    for table in ("symbol_usd", "notional_usd", "target_ms"):
        if parts[-2:-1] == (table,):
            shown[-1] = "*"
    return ".".join(shown)


def is_hot(parts: Parts) -> bool:
    """Whether a key can be set while the daemon runs."""
    return parts[0] in HOT and not is_by_hand(parts)


def is_by_hand(parts: Parts) -> bool:
    """Whether a key is never set by command, only in a file of the operator's."""
    return parts[0] in BY_HAND or ".".join(parts[:2]) in BY_HAND


def is_secret(parts: Parts) -> bool:
    """Whether the value of a key must not be shown."""
    if parts[0] == "trigger":
        return False
    # The path of a web hook may be all that keeps others out.
    is_hook = tuple(parts[:2]) == ("notify", "sink") and parts[-1] == "url"
    return is_hook or _SECRET.fullmatch(parts[-1]) is not None


def check_known(parts: Parts) -> None:
    """Whether there is such a key.

    Raises:
        CommandError: there is none.
    """
    known = [key.pattern for key in all_keys()]
    if pattern_of(parts) not in known:
        near = nearest(parts, known)
        hint = f"did you mean {near}?" if near else "config keys lists all"
        raise CommandError(f"no key {'.'.join(parts)[:60]!r}", hint=hint, code="not-found")


def may_be_told(text: str) -> bool:
    """Whether a value given for this key may stand in the ledger: it is known, and no secret."""
    try:
        parts = split_key(text)
    except CommandError:
        return False
    known = pattern_of(parts) in {key.pattern for key in all_keys()}
    return known and not is_secret(parts) and not is_by_hand(parts)


def unit_of(pattern: str) -> str:
    """The unit that a name ends in; empty where it has none."""
    name = pattern.removesuffix(".*").rpartition(".")[2]
    for ending, unit in _UNITS:
        if re.search(ending + "$", name):
            return unit
    return ""


def help_of(pattern: str) -> str:
    """One line about a key."""
    return HELP.get(pattern, "")


@lru_cache(maxsize=1_024)
def range_of(pattern: str) -> str:
    """What a key may be, in words; empty where that takes more than a few."""
    if pattern in _choices():
        return " | ".join(_choices()[pattern])
    bounds = _bounds().get(pattern)
    words = []
    if bounds is not None:
        words.append(f"{bounds[0]:,} to {bounds[1]:,}".replace(",", "_"))
    elif pattern in ABOVE_ZERO or pattern in _MORE_THAN_ZERO:
        words.append("more than 0")
    if pattern == "latency.target_ms.*":
        words.append(f"more than 0, at most {TARGET_MS_MAX:_}")
    if pattern in AT_MOST:
        words.append(f"at most {AT_MOST[pattern]}")
    if pattern in CEILINGS:
        words.append(f"at most {CEILINGS[pattern]:_} away from loopback")
    if pattern in NEVER_OFF:
        words.append("not 0 away from loopback")
    key = next((key for key in all_keys() if key.pattern == pattern), None)
    if not words and key is not None and key.kind == "true or false":
        return "true | false"
    return ", ".join(words)


_MORE_THAN_ZERO = ("sizing.symbol_usd.*", "trigger.*.notional_usd.*")


@cache
def _bounds() -> dict[str, Bound]:
    found: dict[str, Bound] = dict(WITHIN)
    found |= {f"feed.*.{name}": bound for name, bound in FEED_WITHIN.items()}
    for table in ("protect", "protect_for.*"):
        found |= {f"{table}.{name}": bound for name, bound in PROTECT_WITHIN.items()}
    found |= {f"{path}.coalesce_s": (0, COALESCE_S_MAX) for path in ("notify", "notify.sink.*")}
    return found | {f"trigger.*.{name}": bound for name, bound in TRIGGER_WITHIN.items()}


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    return CHOICES | {
        "feed.*.format": tuple(FEED_FORMATS),
        "feed.*.auth": ("none", "login", "header", "query", "bearer"),
        "payroll.macro_regime": REGIMES,
        "notify.level": tuple(LEVELS),
        "notify.sink.*.min_level": tuple(LEVELS),
        "notify.sink.*.kind": KINDS,
        "trigger.*.matcher": tuple(MATCHERS),
        "trigger.*.tier": TIERS,
        "trigger.*.side": ("BUY", "SELL", "EITHER"),
        "trigger.*.once": ("id", "title", '""'),
        "trigger.*.match.rate": RATES,
        "trigger.*.match.text": ("title", "body", "all"),
    }


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key that a configuration may have, in the order of the settings."""
    found = list(_keys(Settings, ""))
    for name, kind in MATCHERS.items():
        found += [key._replace(matcher=name) for key in _keys(kind, "trigger.*.match.")]
    return tuple(found)


def _keys(table: type, prefix: str) -> Iterator[Key]:
    for field in attrs.fields(attrs.resolve_types(table)):
        pattern = prefix + field.name
        kind: Any = _given(field.type)
        if pattern == "trigger.*.match":
            continue  # what is in there hangs on the matcher
        inner: Any = get_args(kind)[-1] if get_origin(kind) is dict else None
        if attrs.has(kind):
            yield from _keys(kind, pattern + ".")
        elif inner is not None and attrs.has(inner):
            yield from _keys(inner, pattern + ".*.")
        elif get_origin(kind) is tuple and get_args(kind)[0] is Trigger:
            yield from _keys(Trigger, pattern + ".*.")
        else:
            default = built_in(field)
            missing = field.default is attrs.NOTHING
            yield Key(pattern, _kind(kind), None if default is None else to_tree(default), missing)
            if inner is not None:
                yield Key(pattern + ".*", _kind(inner), None)


def _given(kind: Any) -> Any:  # noqa: ANN401
    """The type of a key where it is given: without the None of those that may be left out."""
    left = [each for each in get_args(kind) if each is not type(None)]
    return left[0] if len(left) == 1 and type(None) in get_args(kind) else kind


def _kind(kind: Any) -> str:  # noqa: ANN401
    if get_origin(kind) is dict:
        return "table"
    return "list" if get_origin(kind) is tuple else _KINDS.get(kind, "text")


def nearest(parts: Parts, known: list[str]) -> str:
    """The key that was probably meant; empty where none is near."""
    near = difflib.get_close_matches(".".join(parts), known, n=1, cutoff=0.75)
    return near[0] if near else ""
