"""Words in a headline, marked: what spoke for a trade, and what against it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, wrap

Json = dict[str, Any]


def marked(text: str, matched: Iterable[str], blocking: Iterable[str]) -> str:
    """``text`` with matched words as ``[+word]`` and blocking ones as ``[-word]``.

    Plain characters, so that it says the same without colour. Words that the
    text does not hold as they stand (they were normalised) are left out.
    """
    signs = {word.lower(): "+" for word in matched if word.strip()}
    signs |= {word.lower(): "-" for word in blocking if word.strip()}
    if not signs:
        return text
    longest_first = sorted(signs, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w)({re.escape(word)})(?!\w)" for word in longest_first)

    def sign(found: re.Match[str]) -> str:
        # By number: case-blind matching knows pairs that lower() does not, as ſ and s.
        return f"[{signs[longest_first[(found.lastindex or 1) - 1]]}{found[0]}]"

    return re.sub(pattern, sign, text, flags=re.IGNORECASE)


def headline_lines(value: Json, misses: Sequence[Json], columns: int) -> list[str]:
    """Author and headline, marked by the near misses."""
    matched = [word for miss in misses for word in miss.get("matched", ())]
    blocking = [word for miss in misses for word in miss.get("blocking", ())]
    shown = marked(plain(value["headline"]), map(plain, matched), map(plain, blocking))
    return wrap(f"  {plain(value['author'])}: {shown}", columns, indent=4)[:6]


def miss_lines(miss: Json, style: Style, columns: int) -> list[str]:
    """Why one trigger did not fire: the first condition that failed, then the others."""
    failed = miss.get("failed") or [miss]
    first, *others = [_failure(failure) for failure in failed]
    lines = wrap(f"  {miss['trigger']} did not fire: {first}", columns, indent=4)
    for other in others:
        lines += wrap(f"    also: {other}", columns, indent=6)
    return [style(lines[0], "warn"), *lines[1:]]


def _failure(failure: Json) -> str:
    detail = plain(failure.get("detail", ""))
    return f"{failure['reason']} ({detail})" if detail else str(failure["reason"])
