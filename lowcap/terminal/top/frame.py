"""The whole screen: header, page, notice, keys or question.

Of the view it changes only what must fit the data: chosen rows, how far a text is turned.
"""

from __future__ import annotations

from collections.abc import Callable

from lowcap.terminal.top.ask import ask_lines
from lowcap.terminal.top.header import header
from lowcap.terminal.top.keys import footer
from lowcap.terminal.top.logs_page import logs_page
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.overview import overview
from lowcap.terminal.top.positions_page import positions_page
from lowcap.terminal.top.settings_page import settings_page
from lowcap.terminal.top.text import Line, Piece, clean, fit, title, wrapped
from lowcap.terminal.top.view import LOGS, OVERVIEW, POSITIONS, SETTINGS, Pager, View

Page = Callable[[Model, View, int, int], list[Line]]
_PAGES: dict[int, Page] = {
    OVERVIEW: overview, POSITIONS: positions_page, LOGS: logs_page, SETTINGS: settings_page,
}  # fmt: skip
NOTICE_LINES_MAX = 3


def screen(model: Model, view: View, width: int, height: int) -> list[Line]:
    """Exactly ``height`` lines of exactly ``width`` cells."""
    if width < 1 or height < 1:
        return []
    view.settle(model)
    above = header(model, view.page, width)
    below = _below(model, view, width)
    # A question stays on the screen, however low that is.
    below = below[-height:]
    above = above[: height - len(below)]
    room = height - len(above) - len(below)
    if room <= 0:
        body: list[Line] = []
    elif view.pager is not None:
        body = _pager_lines(view.pager, width, room)
    else:
        body = _PAGES[view.page](model, view, width, room)
    body = body[:room] + [[] for _ in range(room - len(body))]
    return [fit(each, width) for each in [*above, *body, *below]]


def _below(model: Model, view: View, width: int) -> list[Line]:
    role, text = view.notice
    notices = wrapped(text, width, role)[:NOTICE_LINES_MAX] if text else []
    if not model.connected:
        notices = [*wrapped(model.why, width, "bad")[:NOTICE_LINES_MAX], *notices]
    if view.ask is not None:
        return [*notices, *ask_lines(view.ask, width)]
    if view.pager is not None:
        keys = [Piece("bold", "Esc"), Piece("dim", " back  "), Piece("bold", "arrows")]
        return [*notices, fit([*keys, Piece("dim", " more")], width)]
    return [*notices, footer(model, view.page, width)]


def _pager_lines(pager: Pager, width: int, height: int) -> list[Line]:
    """The text from its first line on, each wrapped; it is never turned past its last page."""
    lines = [part for text in pager.lines for part in wrapped(text, width)]
    pager.first = min(pager.first, max(len(lines) - (height - 1), 0))
    shown = lines[pager.first : pager.first + height - 1]
    last = pager.first + len(shown)
    place = f"  {pager.first + 1}-{last} of {len(lines)}" if len(lines) > len(shown) else ""
    return [title(clean(pager.title, 60) + place, width), *shown]
