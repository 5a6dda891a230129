"""Where the operator is: page, chosen row, filters, what lies over the page. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from lowcap.control.protocol import Json
from lowcap.terminal.top.ask import Ask
from lowcap.terminal.top.model import LEVELS, LogRow, Model, rank_of

OVERVIEW, POSITIONS, LOGS, SETTINGS = 1, 2, 3, 4
PAGES = {OVERVIEW: "overview", POSITIONS: "positions", LOGS: "logs", SETTINGS: "settings"}
FIELDS = ("area", "feed", "trigger")


@dataclass
class Filters:
    """Which log records are shown: this level and worse, of one area or feed, with a text."""

    level: str = "debug"
    area: str = ""
    feed: str = ""
    trigger: str = ""
    text: str = ""

    def keep(self, row: Json) -> bool:
        """Whether a record is shown."""
        if rank_of(row.get("level")) < LEVELS.index(self.level):
            return False
        if any(wanted and str(row.get(name)) != wanted for name, wanted in self._fields()):
            return False
        return self.text.lower() in str(row.get("text", "")).lower()

    def _fields(self) -> list[tuple[str, str]]:
        return [("area", self.area), ("feed", self.feed), ("trigger", self.trigger)]

    def told(self) -> str:
        """The filters that are on, in words."""
        said = [f"{self.level} and worse"] if self.level != "debug" else []
        said += [f"{name} {wanted}" for name, wanted in self._fields() if wanted]
        said += [f"text {self.text!r}"] if self.text else []
        return ", ".join(said)

    def next_level(self) -> None:
        """The next level up, then all again."""
        places = LEVELS[:4]
        self.level = places[(places.index(self.level) + 1) % len(places)]

    def next_of(self, name: str, known: list[str]) -> None:
        """The next of the values that a field is known to have, then all again."""
        choices = ["", *known]
        now = getattr(self, name)
        place = choices.index(now) if now in choices else 0
        setattr(self, name, choices[(place + 1) % len(choices)])


@dataclass
class Pager:
    """A text over the page: help, a detail, what a command has answered."""

    title: str
    lines: list[str]
    first: int = 0


@dataclass
class View:
    """What is looked at. Rows are remembered by name, so that they do not slip."""

    page: int = OVERVIEW
    symbol: str = ""
    symbol_place: int = 0
    key: str = ""
    key_place: int = 0
    key_text: str = ""
    place: int | None = None
    activity_from: int = 0
    filters: Filters = field(default_factory=Filters)
    pager: Pager | None = None
    ask: Ask | None = None
    notice: tuple[str, str] = ("", "")

    def settle(self, model: Model) -> None:
        """Keep the chosen rows where they are, or near where they were."""
        names = [str(row.get("symbol", "")) for row in model.positions]
        self.symbol, self.symbol_place = _stay(names, self.symbol, self.symbol_place)
        names = [str(row.get("key", "")) for row in self.settings(model)]
        self.key, self.key_place = _stay(names, self.key, self.key_place)

    def settings(self, model: Model) -> list[Json]:
        """The settings that are shown."""
        wanted = self.key_text.lower()
        return [row for row in model.config if wanted in str(row.get("key", "")).lower()]

    def logs(self, model: Model) -> list[LogRow]:
        """The log records that are shown."""
        return [log for log in model.logs if self.filters.keep(log.row)]

    def log_at(self, shown: list[LogRow]) -> int:
        """Which of the shown records is chosen: the newest one while following."""
        if self.place is None:
            return len(shown) - 1
        before = [at for at, log in enumerate(shown) if log.place <= self.place]
        return before[-1] if before else 0

    def step(self, model: Model, by: int) -> None:
        """Choose another row."""
        if self.page == OVERVIEW:
            most = max(len(model.events) - 1, 0)
            self.activity_from = min(max(self.activity_from + by, 0), most)
        elif self.page == POSITIONS:
            names = [str(row.get("symbol", "")) for row in model.positions]
            self.symbol, self.symbol_place = _stepped(names, self.symbol_place + by)
        elif self.page == SETTINGS:
            names = [str(row.get("key", "")) for row in self.settings(model)]
            self.key, self.key_place = _stepped(names, self.key_place + by)
        else:
            shown = self.logs(model)
            if shown:
                at = min(max(self.log_at(shown) + by, 0), len(shown) - 1)
                self.place = shown[at].place

    def position(self, model: Model) -> Json | None:
        """The chosen position."""
        return next((row for row in model.positions if row.get("symbol") == self.symbol), None)

    def setting(self, model: Model) -> Json | None:
        """The chosen setting."""
        shown = self.settings(model)
        return next((row for row in shown if row.get("key") == self.key), None)


def _stay(names: list[str], chosen: str, place: int) -> tuple[str, int]:
    if chosen in names:
        return chosen, names.index(chosen)
    return _stepped(names, place)


def _stepped(names: list[str], place: int) -> tuple[str, int]:
    if not names:
        return "", 0
    place = min(max(place, 0), len(names) - 1)
    return names[place], place
