"""The interactive prompt. Trio owns the main thread; prompt_toolkit lives in one worker thread.

Ctrl-C at the prompt drops the line, during a command it cancels the command;
Ctrl-D leaves. Events of the daemon print above the prompt.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from lowcap.control.client import CallFailed
from lowcap.control.commands import ALIAS_FLAGS, BY_NAME, COMMANDS, VIEW, Command
from lowcap.control.protocol import Json
from lowcap.core.errors import LowcapError
from lowcap.core.plain import plain
from lowcap.terminal.complete import Snapshot, complete
from lowcap.terminal.link import Link
from lowcap.terminal.parse import click_command, given_only, unknown_command
from lowcap.terminal.render import event_lines, page_of, render
from lowcap.terminal.table import Style, terminal_columns, wants_colour

_DANGEROUS = frozenset({"panic", "emergency", "flatten", "close", "closeall", "arm"})
# The toolbar is shown in reverse by default, which would make red the colour of the text.
ALERT = "noreverse bg:ansired fg:ansiwhite"
SHOWN_LEVELS = frozenset({"info", "warning", "error"})


class LineDropped(Exception):
    """Ctrl-C at the prompt."""


class LeaveRepl(Exception):
    """Ctrl-D at the prompt, or the word quit."""


def run_repl(places: list[Path], colour: str) -> int:
    """Run the prompt until the operator leaves; returns the exit code."""
    return trio.run(Repl(places, colour).main)


class Repl:
    """One session."""

    def __init__(self, places: list[Path], colour: str) -> None:
        self._link = Link(places, self._on_event)
        self._style = Style(wants_colour(colour, os.environ))
        self._call: trio.CancelScope | None = None
        self._exit_code = 0

    async def main(self) -> int:
        """Prompt, parse, call, print, again."""
        session: PromptSession[str] = PromptSession(
            history=_history(),
            auto_suggest=AutoSuggestFromHistory(),
            completer=_TableCompleter(self._link),
            complete_while_typing=True,
            bottom_toolbar=self._toolbar,
            refresh_interval=1.0,
            interrupt_exception=LineDropped,
            eof_exception=LeaveRepl,
        )
        with patch_stdout(raw=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._link.run)
                nursery.start_soon(self._obey_signals, nursery.cancel_scope)
                await self._greet()
                while True:
                    try:
                        line = await read_line(session, self._prompt)
                        await self._obey(line, session)
                    except LineDropped:
                        continue
                    except LeaveRepl:
                        break
                nursery.cancel_scope.cancel(reason="the operator leaves")
        return self._exit_code

    async def _greet(self) -> None:
        with trio.move_on_after(1.5):
            while self._link.status is None:
                await trio.sleep(0.02)
        if self._link.status is None:
            print(f"{self._link.why}\nhint: lowcapd run, or systemctl start lowcapd")
            return
        for line in render("status", self._link.status, self._style, terminal_columns()):
            print(line)
        print("help lists the commands, Ctrl-D leaves")

    # -- what is shown ----------------------------------------------------------

    def _prompt(self) -> str:
        mode = (self._link.status or {}).get("mode", "?")
        return f"lowcap {mode.upper()}> "

    def _toolbar(self) -> FormattedText:
        status = self._link.status
        if status is None:
            return FormattedText([(ALERT, f" {self._link.why} ")])
        live = status["mode"] == "live" and status["armed"]
        style = f"{ALERT} bold" if live else ""
        mode = status["mode"].upper() + (" armed" if live else "")
        parts = [
            mode,
            status["state"],
            f"feeds {status['feeds_up']}/{len(status['feeds'])}",
            f"pos {status['positions']} {float(status['unrealized_usd']):+,.2f}",
            f"{status['now'][11:19]}Z",
        ]
        return FormattedText([(style, " " + " │ ".join(parts) + " ")])

    def _on_event(self, event: Json) -> None:
        if event.get("text") and event.get("level") in SHOWN_LEVELS:
            print("\n".join(event_lines(event, self._style, terminal_columns())))

    # -- what is typed ----------------------------------------------------------

    async def _obey(self, line: str, session: PromptSession[str]) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            _print_error(str(error), "")
            return
        if not words:
            return
        if words[0] in ("quit", "exit"):
            raise LeaveRepl
        if words[0] == "help":
            _help(words[1:])
            return
        command = BY_NAME.get(words[0])
        if command is None:
            message, _, hint = unknown_command(words[0]).partition("\nhint: ")
            _print_error(message, hint.replace("lowcapctl --help", "help"))
            return
        params = parse_words(command, [*ALIAS_FLAGS.get(words[0], ()), *words[1:]])
        if params is None:
            return
        with trio.CancelScope() as self._call:
            try:
                value = await self._carry_out(command, params, session)
                for text in render(
                    page_of(command, params), value, self._style, terminal_columns()
                ):
                    print(text)
            except LowcapError as error:
                _print_error(error.message, error.hint)
            finally:
                scope, self._call = self._call, None
        if scope.cancelled_caught:
            hint = " (what was sent may have been done)" if command.role_for(params) != VIEW else ""
            print(f"cancelled{hint}")

    async def _carry_out(
        self, command: Command, params: Json, session: PromptSession[str]
    ) -> object:
        params.pop("follow", None)  # events print above the prompt anyway
        if params.get("action") == "tail":
            raise CallFailed(
                "the prompt follows events only",
                hint=f"in another terminal: lowcapctl feed tail {params.get('name', '')}",
                code="refused",
            )
        if params.get("direct"):
            raise CallFailed(
                "the prompt holds no keys",
                hint="in a shell: lowcapctl panic --direct",
                code="refused",
            )
        if not command.danger:
            return await self._link.call(command.name, params)
        try:
            return await self._link.call(command.name, params)
        except CallFailed as failure:
            if failure.code != "confirm":
                raise
            word = failure.hint.removeprefix("type ").partition(" to go on")[0]
            print(plain(failure.message))
            typed = await read_line(session, f"Type {word} to go on: ")
            if typed.strip() != word:
                raise CallFailed("not confirmed, nothing done", code="confirm") from None
        return await self._link.call(command.name, params | {"confirm": True})

    async def _obey_signals(self, everything: trio.CancelScope) -> None:
        """While a command runs Ctrl-C cancels it; SIGTERM and a hang-up end the session in order.

        Ending in order gives the terminal back as it was.
        """
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with trio.open_signal_receiver(*wanted) as arriving:
            async for number in arriving:
                if number != signal.SIGINT:
                    self._exit_code = 128 + number
                    everything.cancel(reason=signal.Signals(number).name)
                elif self._call is not None:
                    self._call.cancel(reason="Ctrl-C")


async def read_line(session: PromptSession[str], prompt: str | Callable[[], str]) -> str:
    """Await one line. Cancelling the caller ends the prompt and gives the terminal back.

    A prompt that is a function is asked again as time goes by.

    Raises:
        LineDropped, LeaveRepl: Ctrl-C, Ctrl-D.
    """

    def ask() -> str:
        async def leave_when_cancelled() -> None:
            while not session.app.is_done:
                await asyncio.sleep(0.05)
                try:
                    trio.from_thread.check_cancelled()
                except trio.Cancelled as cancelled:
                    session.app.exit(exception=cancelled)
                    return

        def watch() -> None:
            session.app.create_background_task(leave_when_cancelled())

        return session.prompt(
            prompt, pre_run=watch, handle_sigint=False, set_exception_handler=False
        )

    return await trio.to_thread.run_sync(ask)


def parse_words(command: Command, words: list[str]) -> Json | None:
    """The parameters of a command line, by the same table as one-liners; None where it is wrong."""
    try:
        context = click_command(command).make_context(command.name, words)
    except click.exceptions.Exit:
        return None  # --help has been printed
    except click.ClickException as error:
        _print_error(error.format_message(), f"help {command.name}")
        return None
    params = given_only(context.params)
    params.pop("as_json", None)
    if params.pop("yes", False):
        params["confirm"] = True
    return params


def _print_error(message: str, hint: str) -> None:
    print(f"error: {plain(message)}")
    if hint:
        print(f"hint: {plain(hint)}")


def _help(words: list[str]) -> None:
    command = BY_NAME.get(words[0]) if words else None
    if command is not None:
        with click.Context(click_command(command), info_name=command.name) as context:
            print(context.get_help())
        return
    width = max(len(command.name) for command in COMMANDS)
    for command in COMMANDS:
        print(f"  {command.name:<{width}}  {command.help}")
    print("help COMMAND tells more, with examples")


def _history() -> History:
    """The history file of the state folder; dangerous words are not kept."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(base) / "lowcap"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return InMemoryHistory()
    return _CarefulHistory(str(folder / "history"))


class _CarefulHistory(FileHistory):
    """Does not offer panic by a stray key press, nor the words that confirm it."""

    def append_string(self, string: str) -> None:
        """Remember a line, unless it is dangerous."""
        if not is_dangerous(string):
            super().append_string(string)


def is_dangerous(line: str) -> bool:
    """Whether a line should be typed anew each time."""
    words = re.findall(r"[a-z]+", line.lower())
    return bool(words) and words[0] in _DANGEROUS


class _TableCompleter(Completer):
    """The pure completion over the newest snapshot."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        status = self._link.status or {}
        snapshot = Snapshot(
            positions=status.get("symbols", ()),
            feeds=[feed["name"] for feed in status.get("feeds", ())],
            triggers=status.get("trigger_ids", ()),
        )
        line = document.text_before_cursor.lstrip()
        typed = line.split(" ")[-1]
        for candidate in complete(line, snapshot):
            yield Completion(
                candidate.word, start_position=-len(typed), display_meta=candidate.meta
            )
