"""Lines of styled pieces, measured in the cells of a terminal. Pure.

What stands in a line has been through ``clean``: no character in it moves
the cursor, colours, rings, or is wider or narrower than counted here.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from lowcap.control.protocol import Json
from lowcap.core.plain import plain
from lowcap.terminal.table import width_of, wrap

# Terminals disagree on how wide these are: fillers of Hangul syllables, trigrams and
# hexagrams, counting rods, halves of flags, skin tones.
_UNSURE = (
    *((0x1160, 0x11FF), (0x2630, 0x2637), (0x268A, 0x268F), (0x3164, 0x3164)),
    *((0x4DC0, 0x4DFF), (0xD7B0, 0xD7FB), (0xFFA0, 0xFFA0), (0x1D300, 0x1D376)),
    *((0x1F1E6, 0x1F1FF), (0x1F3FB, 0x1F3FF)),
)
TEXT_LENGTH_MAX = 2_000
GUTTER, GUTTER_FROM = 9, 56
_BARS = "▁▂▃▄▅▆▇█"


class Piece(NamedTuple):
    """Some text and its role: good, bad, warn, dim, bold, alarm, chosen, or nothing."""

    role: str
    text: str


Line = list[Piece]


def clean(text: object, limit: int = TEXT_LENGTH_MAX) -> str:
    """``text`` on one line, every character of it as wide as ``width_of`` says."""
    shown = plain(str(text), limit)
    if shown.isascii():
        return shown
    return "".join(_sure(character) for character in unicodedata.normalize("NFC", shown))


def _sure(character: str) -> str:
    if unicodedata.category(character).startswith("M"):
        return ""
    code = ord(character)
    return "?" if any(low <= code <= high for low, high in _UNSURE) else character


def line(*pieces: object) -> Line:
    """A line of plain texts, and of (role, text) pairs."""
    return [
        Piece(str(piece[0]), clean(piece[1]))
        if isinstance(piece, tuple)
        else Piece("", clean(piece))
        for piece in pieces
    ]


def cells(pieces: Line) -> int:
    """How many cells a line takes."""
    return sum(width_of(piece.text) for piece in pieces)


def text_of(pieces: Line) -> str:
    """A line without its roles."""
    return "".join(piece.text for piece in pieces)


def fit(pieces: Line, width: int, role: str = "") -> Line:
    """A line of exactly ``width`` cells: cut with ``…``, or filled up in ``role``."""
    used, kept = 0, []
    cut = cells(pieces) > width
    room = max(width - 1, 0) if cut else width
    for piece in pieces:
        head = _head(piece.text, room - used)
        if head:
            kept.append(Piece(piece.role, head))
            used += width_of(head)
        if head != piece.text:
            break
    if cut and width > 0:
        kept.append(Piece(kept[-1].role if kept else role, "…"))
        used += 1
    if used < width:
        kept.append(Piece(role, " " * (width - used)))
    return kept


def _head(text: str, room: int) -> str:
    used = 0
    for place, character in enumerate(text):
        used += width_of(character)
        if used > room:
            return text[:place]
    return text


def over(pieces: Line, role: str) -> Line:
    """The whole line in one role."""
    return [Piece(role, piece.text) for piece in pieces]


def wrapped(text: object, width: int, role: str = "", *, indent: int = 2) -> list[Line]:
    """A text in as many lines as it needs."""
    return [[Piece(role, part)] for part in wrap(clean(text), width, indent=indent)]


def joined(parts: Sequence[Line], width: int, gap: str) -> Line:
    """As many of the parts as fit, in order, with ``gap`` between; at least the first."""
    return flowed(parts, width, gap)[0]


def flowed(parts: Sequence[Line], width: int, gap: str = "  ") -> list[Line]:
    """The parts in order, in as many lines as they need; none is broken."""
    lines: list[Line] = [[]]
    for each in parts:
        longer = [*lines[-1], Piece("", gap), *each] if lines[-1] else list(each)
        if lines[-1] and cells(longer) > width:
            lines.append(list(each))
        else:
            lines[-1] = longer
    return lines


def section(label: str, lines: Sequence[Line], width: int) -> list[Line]:
    """Lines under a head, or where there is room with the head at their left; see ``inside``."""
    if inside(width) == width:
        return [title(label, width), *lines]
    heads = [Piece("bold", f"{label:<{GUTTER}}"), *[Piece("", " " * GUTTER)] * (len(lines) - 1)]
    return [[head, *each] for head, each in zip(heads, lines, strict=True)]


def inside(width: int) -> int:
    """How wide the lines of a section may be."""
    return width - GUTTER if width >= GUTTER_FROM else width


def beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Two columns of the same width, a bar between them."""
    first = (width - 3) // 2
    rows = max(len(left), len(right))
    return [
        [
            *fit(left[row] if row < len(left) else [], first),
            Piece("dim", " │ "),
            *fit(right[row] if row < len(right) else [], width - 3 - first),
        ]
        for row in range(rows)
    ]


def title(text: str, width: int) -> Line:
    """The head of a section."""
    return fit(
        [Piece("bold", text), Piece("dim", " " + "─" * max(width - len(text) - 1, 0))], width
    )


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest values as bars, the tallest as high as a line; at most ``width`` of them."""
    shown = [each for each in values if 0 <= each < math.inf][-width:] if width > 0 else []
    highest = max(shown, default=0)
    if not highest:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(int(value / highest * len(_BARS)), 7)] for value in shown)


def columns(
    rows: Sequence[Sequence[Piece]], heads: Sequence[str], width: int, must: int = 2
) -> list[Line]:
    """Aligned lines under a head; ``>`` before a head aligns right.

    Columns are left out from the right where they do not fit; ``must`` stay.
    """
    count = len(heads)
    widths = [
        max([width_of(heads[at].lstrip(">")), *(width_of(row[at].text) for row in rows)])
        for at in range(count)
    ]
    while count > must and sum(widths[:count]) + 2 * (count - 1) > width:
        count -= 1
    table = [[Piece("dim", head.lstrip(">")) for head in heads], *rows]
    return [_aligned(row, heads, widths, count) for row in table]


def _aligned(row: Sequence[Piece], heads: Sequence[str], widths: list[int], count: int) -> Line:
    found: Line = []
    for at in range(count):
        gap = Piece("", " " * (widths[at] - width_of(row[at].text)))
        cell = [gap, row[at]] if heads[at].startswith(">") else [row[at], gap]
        found += [Piece("", "  "), *cell] if at else cell
    return found


def window(count: int, chosen: int, height: int) -> int:
    """The first of ``count`` rows to show in ``height``, so that the chosen one is seen."""
    if height <= 0 or count <= height:
        return 0
    return min(max(chosen - height // 2, 0), count - height)


def part(value: object) -> Json:
    """A part of a reply; a daemon of another version may send what is none."""
    return value if isinstance(value, dict) else {}


def rows_of(value: object) -> list[Json]:
    """The rows of a list; what is no list has none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def words_of(value: object) -> list[str]:
    """The words of a list; what is no list has none."""
    return [str(word) for word in value] if isinstance(value, list) else []


def number(value: object, digits: int = 2, *, sign: bool = False) -> str:
    """A number for people, ``-`` where there is none."""
    if value is None or value == "":
        return "-"
    try:
        amount = float(str(value))
    except ValueError:
        return clean(value, 40)
    return f"{amount:+,.{digits}f}" if sign else f"{amount:,.{digits}f}"


def short(value: object) -> str:
    """A price or quantity in at most ten characters or so."""
    if value is None or value == "":
        return "-"
    text = clean(value, 40)
    if len(text) <= 10:
        return text
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return text[:10]


def gain(value: object) -> str:
    """The role of an amount: good above zero, bad below."""
    shown = number(value, 8)
    if shown == "-" or not shown.strip("-0.,"):
        return ""
    return "bad" if shown.startswith("-") else "good"


def age(ms: object) -> str:
    """A duration in milliseconds, for people."""
    if not isinstance(ms, (int, float)):
        return "never"
    seconds = max(ms, 0) / 1000
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 120:
        return f"{seconds:.0f}s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h" if seconds < 172_800 else f"{seconds / 86_400:.0f}d"


def clock(at: object) -> str:
    """The time of day of an ISO time."""
    return clean(str(at)[11:19], 8)
