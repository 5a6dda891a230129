"""Records, alerts and sinks for tests of alerts."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

from lowcap.alerts.alert import Alert
from lowcap.core.facts import Fact, Record
from lowcap.settings import NotifySink
from tests.alerts.alert_fakes import (
    BOT_TOKEN,
    CHAT,
    PUSHOVER_TOKEN,
    PUSHOVER_USER,
    SECRET,
    FakeService,
)

NOON_MS = 1_770_379_200_000  # 2026-02-06 12:00 UTC
KEYS = {
    "notify-pushover-token": PUSHOVER_TOKEN,
    "notify-pushover-user": PUSHOVER_USER,
    "notify-telegram-token": BOT_TOKEN,
    "notify-webhook-token": SECRET,
}
_HOSTILE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
HOSTILE = "\x1b[2J*bold* <b>x</b> [a](http://e) \r\nFORGED \u202egnp @admin /halt \x00 \ud800 end"


def write_keys(folder: Path, **changed: str) -> dict[str, str]:
    """The keys of all fakes in a credentials directory; returns the environment that names it."""
    folder.mkdir(exist_ok=True)
    given = KEYS | {name.replace("_", "-"): key for name, key in changed.items()}
    for name, key in given.items():
        (folder / name).write_text(key)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def sinks_for(services: dict[str, FakeService], **changes: Any) -> dict[str, NotifySink]:
    """A sink for each service, named as its kind."""
    return {
        kind: NotifySink(
            **{
                "kind": kind,
                "url": service.url,
                "enabled": True,
                "chat": CHAT if kind == "telegram" else "",
                **changes,
            }
        )
        for kind, service in services.items()
    }


def alert(event: str = "alarm", level: str = "error", text: str = "words", **more: Any) -> Alert:
    """An alert with a title like its event."""
    given = {"title": event.upper(), "at_ms": NOON_MS, **more}
    return Alert(event=event, level=level, text=text, **given)


def is_harmless(line: str) -> bool:
    """One line, with nothing in it that a terminal or a chat would obey."""
    return not {unicodedata.category(character) for character in line} & _HOSTILE_CATEGORIES


class Tape:
    """Numbers facts as a ledger does."""

    def __init__(self, at_ms: int = NOON_MS) -> None:
        self.at_ms = at_ms
        self.seq = 0

    def __call__(self, fact: Fact, *, after_ms: int = 0, cause: int = 0) -> Record:
        self.at_ms += after_ms
        self.seq += 1
        return Record(
            seq=self.seq,
            ts=self.at_ms * 1_000_000,
            run=1,
            kind=type(fact).__name__,
            cause=cause,
            body=fact,
        )
