"""The command line of ``top``: any command of the table, parsed as everywhere. Pure."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stdout

import click

from lowcap.control.client import CallFailed
from lowcap.control.commands import ALIAS_FLAGS, BY_NAME, COMMANDS
from lowcap.terminal.complete import Snapshot, complete
from lowcap.terminal.parse import click_command, given_only, unknown_command
from lowcap.terminal.render import page_of
from lowcap.terminal.top.ask import Call, Editor
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.text import rows_of, words_of

HISTORY_LINES_MAX = 100
OFFERS_MAX = 12


class Told(Exception):
    """A line that the daemon need not be asked about: its answer."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__(title)
        self.title = title
        self.lines = list(lines)


def call_of(text: str) -> Call | None:
    """The request that a line means; None for an empty line.

    Raises:
        CallFailed: it means none, or one that needs a shell.
        Told: help was asked for.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CallFailed(str(error), code="usage") from None
    if not words:
        return None
    if words[0] == "help":
        words = [*words[1:2], "--help"] if len(words) > 1 else words
        if len(words) == 1:
            width = max(len(command.name) for command in COMMANDS)
            rows = [f"{command.name:<{width}}  {command.help}" for command in COMMANDS]
            raise Told("commands", [*rows, "", "help COMMAND tells more, with examples"])
    command = BY_NAME.get(words[0])
    if command is None:
        message, _, hint = unknown_command(words[0]).partition("\nhint: ")
        raise CallFailed(message, hint=hint.replace("lowcapctl --help", "help"), code="usage")
    params = _params(words)
    if command.local or params.get("direct"):
        raise CallFailed(
            f"{command.name} does not run in here" if command.local else "top holds no keys",
            hint=f"in a shell: lowcapctl {text.strip()}",
            code="refused",
        )
    if params.get("action") == "tail":
        raise CallFailed("top follows no feed", hint=f"in a shell: lowcapctl {text.strip()}")
    as_json = bool(params.pop("as_json", False))
    params.pop("follow", None)  # page 3 follows; an answer in here is one answer
    if params.pop("yes", False):
        params["confirm"] = True
    return Call(command.name, params, page_of(command, params), as_json)


def _params(words: list[str]) -> dict[str, object]:
    command = BY_NAME[words[0]]
    given = [*ALIAS_FLAGS.get(words[0], ()), *words[1:]]
    printed = io.StringIO()
    try:
        # --help prints, and nothing but the screen may be printed here.
        with redirect_stdout(printed):
            context = click_command(command).make_context(command.name, given)
    except click.exceptions.Exit:
        raise Told(command.name, printed.getvalue().splitlines()) from None
    except click.ClickException as error:
        hint = f"help {command.name}"
        raise CallFailed(error.format_message(), hint=hint, code="usage") from None
    return given_only(context.params)


def finish_word(editor: Editor, model: Model) -> list[str]:
    """Complete the word before the cursor as far as is certain; returns what it could be."""
    status = model.status or {}
    snapshot = Snapshot(
        positions=words_of(status.get("symbols")),
        feeds=[str(feed.get("name")) for feed in rows_of(status.get("feeds"))],
        triggers=words_of(status.get("trigger_ids")),
    )
    before = editor.text[: editor.at].lstrip()
    word = before.rpartition(" ")[2]
    found = [candidate.word for candidate in complete(before, snapshot)]
    if not found:
        return []
    exact = [each for each in found if each.lower().startswith(word.lower())]
    certain = found[0] if len(found) == 1 else _common(exact)
    if len(certain) >= len(word) and certain:
        after = editor.text[editor.at :]
        head = editor.text[: editor.at].removesuffix(word) if word else editor.text[: editor.at]
        space = " " if len(found) == 1 and not after.startswith(" ") else ""
        editor.set(head + certain + space)
        editor.text += after
    return found[:OFFERS_MAX] if len(found) > 1 else []


def _common(words: Sequence[str]) -> str:
    if not words:
        return ""
    first, last = min(words), max(words)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


class History:
    """Lines that were typed; those that trade or stop trading must be typed anew each time."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0

    def add(self, text: str) -> None:
        """Remember a line."""
        words = re.findall(r"[a-z-]+", text.lower())
        command = BY_NAME.get(words[0]) if words else None
        if command is not None and not command.danger and text not in self._lines[-1:]:
            self._lines = [*self._lines, text][-HISTORY_LINES_MAX:]
        self._at = len(self._lines)

    def step(self, by: int) -> str:
        """An older line, or a newer one; empty behind the newest."""
        self._at = min(max(self._at + by, 0), len(self._lines))
        return self._lines[self._at] if self._at < len(self._lines) else ""
