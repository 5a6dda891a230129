"""The keys of ``top``: what each does, on which page, and who may press it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from lowcap.control.commands import ADMIN, BY_NAME, VIEW
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.text import Line, Piece, cells, fit
from lowcap.terminal.top.view import LOGS, OVERVIEW, POSITIONS, SETTINGS


class Key(NamedTuple):
    """A key: what the footer and the help say, where it works, and the command that it needs."""

    key: str
    act: str
    word: str
    help: str
    pages: tuple[int, ...] = ()
    command: str = ""
    action: str = ""

    def role(self) -> str:
        """The role that pressing it needs. What the command table does not know needs admin."""
        if not self.command:
            return VIEW
        command = BY_NAME.get(self.command)
        return ADMIN if command is None else command.role_for({"action": self.action})

    @property
    def shown(self) -> str:
        """The key as it is printed."""
        return {" ": "space", "enter": "Enter", "escape": "Esc", "c-l": "^L"}.get(
            self.key, self.key
        )


KEYS: tuple[Key, ...] = (
    Key("x", "close", "close", "close the chosen position", (POSITIONS,), "close"),
    Key("m", "move_stop", "stop", "move the stop of the chosen position: a price, or a distance"
        " like 1.5%", (POSITIONS,), "stop", "move"),
    Key("enter", "detail", "detail", "all about the chosen row", (POSITIONS, LOGS, SETTINGS)),
    Key(" ", "follow", "follow", "follow the newest records, or hold", (LOGS,)),
    Key("l", "level", "level", "this level and worse: debug, info, warning, error", (LOGS,)),
    Key("a", "area", "area", "only one area, the next of those seen", (LOGS,)),
    Key("f", "feed", "feed", "only one feed", (LOGS,)),
    Key("t", "trigger", "trigger", "only one trigger", (LOGS,)),
    Key("/", "search", "search", "only rows with a text", (LOGS, SETTINGS)),
    Key("c", "clear", "clear", "clear the records that are here; the daemon keeps its own",
        (LOGS,)),
    Key("e", "edit", "edit", "change the chosen setting, while the daemon runs", (SETTINGS,),
        "config", "set"),
    Key("p", "pause", "pause", "no new entries; exits go on", (), "pause"),
    Key("r", "resume", "resume", "take entries again; after a halt with a reason", (), "resume"),
    Key("h", "halt", "halt", "latched stop; positions keep their stops", (), "halt"),
    Key("!", "panic", "panic", "halt and close every position; a word is asked for", (), "panic"),
    Key(":", "command", "command", "any command of lowcapctl, with Tab and arrow up"),
    Key("?", "help", "help", "these keys"),
    Key("escape", "back", "back", "back: out of what lies above, then out of the filters"),
    Key("c-l", "redraw", "redraw", "draw the screen anew, ask for everything anew"),
    Key("q", "leave", "quit", "leave; the daemon goes on"),
)  # fmt: skip
MOVES = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "pageup": -10,
    "pagedown": 10,
    "home": -1_000_000,
    "end": 1_000_000,
    "c-b": -10,
    "c-f": 10,
    "g": -1_000_000,
    "G": 1_000_000,
}


def keys_of(model: Model, page: int) -> dict[str, Key]:
    """The keys that this session has on a page: those above its role are not there at all."""
    return {
        key.key: key
        for key in KEYS
        if (not key.pages or page in key.pages) and model.may(key.role())
    }


def footer(model: Model, page: int, width: int) -> Line:
    """As many of the keys as fit: panic first where there is one, ``?`` and ``q`` always."""
    known = keys_of(model, page)
    last = [known.pop("?"), known.pop("q")]
    for name in ("escape", "c-l"):
        known.pop(name)
    ends = [piece for key in last for piece in _shown(key)]
    found: Line = []
    for key in sorted(known.values(), key=lambda each: each.key != "!"):
        more = [*found, *_shown(key)]
        if cells(more) + cells(ends) > width:
            break
        found = more
    return fit([*found, *ends], width)


def _shown(key: Key) -> Line:
    return [Piece("bold", key.shown), Piece("dim", f" {key.word}  ")]


def help_lines(model: Model) -> list[str]:
    """The keys that this session has, by page."""
    rows: list[str] = []
    if not model.may(BY_NAME["pause"].role_for({})):
        rows += ["this session may only look: keys that change something are not there", ""]
    at = len(rows) + 1
    for page, head in (
        (0, "on every page"), (POSITIONS, "2 positions"), (LOGS, "3 logs"),
        (SETTINGS, "4 settings"),
    ):  # fmt: skip
        keys = [
            key for key in KEYS
            if (page in key.pages if page else not key.pages) and model.may(key.role())
        ]  # fmt: skip
        rows += [head, *(f"  {key.shown:<6} {key.help}" for key in keys), ""]
    rows.insert(at, "  1-4    the pages; arrows, j k, page up and down, home and end choose a row")
    rows.insert(at + 1, "  ^C     give up what is asked or on its way; else leave")
    rows += ["the screen is drawn when something has changed, at most four times a second"]
    return rows


PAGE_KEYS = {"1": OVERVIEW, "2": POSITIONS, "3": LOGS, "4": SETTINGS}
