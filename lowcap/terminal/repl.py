"""The interactive session. Trio owns the main thread; the prompt lives in a worker thread.

Ctrl-C at the prompt drops the line, during a command it cancels the command;
Ctrl-D leaves. Events of the daemon print above the prompt.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from functools import partial
from pathlib import Path

import trio
from prompt_toolkit.formatted_text import FormattedText

from lowcap.control.client import CallFailed
from lowcap.control.commands import ALIAS_FLAGS, BY_NAME, VIEW, Command
from lowcap.control.protocol import Json
from lowcap.core.errors import LowcapError
from lowcap.core.plain import plain
from lowcap.terminal.bar import Bar, is_hot, prompt_words, toolbar
from lowcap.terminal.history import expand, is_repeat, open_history, wants_vi
from lowcap.terminal.link import Link
from lowcap.terminal.missing import questions, with_answer
from lowcap.terminal.offer import TableCompleter, snapshot_of
from lowcap.terminal.output import json_text
from lowcap.terminal.parse import unknown_command
from lowcap.terminal.prompt import Helpers, LeaveRepl, LineDropped, Prompt, keys_unseen
from lowcap.terminal.render import event_lines, page_of, render
from lowcap.terminal.table import Style, terminal_columns, wants_colour, wrap
from lowcap.terminal.typed import help_on, is_ours, parse_words, shapes_output, take_watch

# The toolbar is shown in reverse by default, which would make red the colour of the text.
ALERT = "noreverse bg:ansired fg:ansiwhite bold"
SHOWN_LEVELS = frozenset({"info", "warning", "error"})
GREET_WITHIN_S = 1.5
# What reading a value raises that is not what it should be.
_UNREADABLE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
# Commands that serve a shell: at the prompt the toolbar and Tab do their work.
FOR_SHELLS = frozenset({"wait", "completion"})


def run_repl(places: list[Path], colour: str) -> int:
    """Run the prompt until the operator leaves; returns the exit code."""
    return trio.run(Repl(places, colour).main)


class Repl:
    """One session."""

    def __init__(self, places: list[Path], colour: str) -> None:
        self._colour = colour
        self._style = Style(wants_colour(colour, os.environ))
        self._history = open_history(os.environ)
        self._known = trio.Event()
        self._link = Link(places, self._on_event, self._on_change)
        helpers = Helpers(TableCompleter(self._link), self._words, self._toolbar, help_on)
        self._prompt = Prompt(
            self._history,
            helpers,
            vi=wants_vi(os.environ),
            colour=wants_colour(colour, os.environ),
        )
        self._call: trio.CancelScope | None = None
        self._exit_code = 0
        self._own = {os.getpid()}  # processes of this session

    async def main(self) -> int:
        """Prompt, parse, call, print, again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._link.run)
            nursery.start_soon(self._obey_signals, nursery.cancel_scope)
            greeted = trio.Event()
            nursery.start_soon(self._greet, greeted)
            with trio.move_on_after(GREET_WITHIN_S):
                await greeted.wait()
            if self._link.status is None:
                self._tell(plain(self._link.why))
                if not self._link.hello:  # a daemon that is only slow needs no starting
                    self._tell("hint: lowcapd run, or systemctl start lowcapd")
            while True:
                try:
                    await self._obey(await self._prompt.read())
                except LineDropped:
                    continue
                except LeaveRepl:
                    break
            nursery.cancel_scope.cancel(reason="the operator leaves")
        return self._exit_code

    async def _greet(self, greeted: trio.Event) -> None:
        """Say how the daemon is, as soon as it says so; above the prompt if that is late."""
        await self._known.wait()
        self._tell("\n".join(self._rendered("status", self._link.status)))
        try:
            found = await self._link.call("logs", {"priority": "error", "count": 1})
            if found:
                said = f"last error {found[-1]['at'][11:19]}Z: {plain(found[-1]['text'])}"
                lines = wrap(said, terminal_columns(), indent=4)
                self._tell("\n".join(self._style(line, "bad") for line in lines))
        except (CallFailed, *_UNREADABLE) as fault:
            self._tell(f"last error: not known, {plain(str(fault))}")
        self._tell("help lists the commands, help keys the keys; Ctrl-D leaves")
        greeted.set()

    # -- what is shown ----------------------------------------------------------

    def _tell(self, text: str) -> None:
        self._prompt.say(text)

    def _words(self) -> FormattedText:
        hot = is_hot(self._link.status)
        return FormattedText([("bold fg:ansired" if hot else "", prompt_words(self._link.status))])

    def _toolbar(self) -> FormattedText:
        link = self._link
        try:
            bar = toolbar(link.status, link.why, link.is_silent, terminal_columns())
        except _UNREADABLE as fault:
            bar = Bar(f" a status of another version ({plain(str(fault))}) ", alarm=True)
        return FormattedText([(ALERT if bar.alarm else "", bar.text)])

    def _on_change(self) -> None:
        if self._link.status is not None:
            self._known.set()
        self._prompt.refresh()

    def _on_event(self, event: Json) -> None:
        if event.get("kind") == "SessionOpened" and event["body"].get("pid") in self._own:
            return  # we know that we are here
        if event.get("text") and event.get("level") in SHOWN_LEVELS:
            try:
                self._tell("\n".join(event_lines(event, self._style, terminal_columns())))
            except _UNREADABLE:
                self._tell(plain(json_text(event)))

    # -- what is typed ----------------------------------------------------------

    async def _obey(self, line: str) -> None:
        try:
            if is_repeat(line):
                line = expand(line, self._history)
                self._tell(plain(line))
                self._history.append_string(line)
            words = shlex.split(line)
        except (ValueError, LookupError) as error:
            self._tell_error(str(error), "")
            return
        if not words:
            return
        if words[0] in ("quit", "exit"):
            raise LeaveRepl
        if words[0] == "help" and (is_ours(words[1:]) or "help" not in BY_NAME):
            self._tell(help_on(" ".join(words[1:])))
            return
        command = BY_NAME.get(words[0])
        if command is None:
            message, _, hint = unknown_command(words[0]).partition("\nhint: ")
            self._tell_error(message, hint.replace("lowcapctl --help", "help"))
            return
        rest = [*ALIAS_FLAGS.get(words[0], ()), *words[1:]]
        try:
            await self._run(command, rest)
        except LowcapError as error:
            self._tell_error(error.message, error.hint)

    async def _run(self, command: Command, words: list[str]) -> None:
        """Carry out a command line.

        Raises:
            LowcapError: it could not be understood or was refused.
        """
        if command.local or shapes_output(command, words):
            await self._run_child(command, words)
            return
        words, every_s = take_watch(words)
        if "--help" in words:
            self._tell(help_on(command.name))
            return
        params = parse_words(command, await self._filled(command, words))
        as_json = bool(params.pop("as_json", False))
        with trio.CancelScope() as self._call:
            try:
                if every_s is not None:
                    await self._watch(command, params, every_s)
                value = await self._carry_out(command, params)
                if as_json:
                    self._tell(json_text(value, indent=2))
                else:
                    self._tell("\n".join(self._page(command, params, value)))
            finally:
                scope, self._call = self._call, None
        if scope.cancelled_caught and every_s is None:
            looks = command.role_for(params) == VIEW
            self._tell("cancelled" + ("" if looks else " (what was sent may have been done)"))

    async def _filled(self, command: Command, words: list[str]) -> list[str]:
        """The words of a line, and those that it lacked."""
        for question in questions(command, words):
            known = snapshot_of(self._link)
            places = {"position": known.positions, "symbol": (*known.positions, *known.symbols)}
            choices = (*places.get(question.kind, ()), *question.choices)
            answer = await self._prompt.ask(f"{question.text}: ", choices)
            while not answer and not question.may_be_empty:
                answer = await self._prompt.ask(f"{question.text}: ", choices)
            words = with_answer(words, question, answer)
        return words

    def _page(self, command: Command, params: Json, value: object) -> list[str]:
        return self._rendered(page_of(command, params), value)

    def _rendered(self, page: str, value: object) -> list[str]:
        """A reply for people; one that another version gave must not end the session."""
        try:
            return render(page, value, self._style, terminal_columns())
        except _UNREADABLE as fault:
            said = f"{page}: cannot be shown ({type(fault).__name__}: {fault}), as it came:"
            return [plain(said), json_text(value, indent=2)]

    async def _watch(self, command: Command, params: Json, every_s: float) -> None:
        """Show a command anew, where it stands, until cancelled."""
        if command.role_for(params) != VIEW:
            raise CallFailed("--watch is for commands that only look", code="usage")
        shown: list[str] | None = None
        self._prompt.end_block()
        with keys_unseen():
            while True:
                value = await self._link.call(command.name, params)
                lines = self._page(command, params, value)
                if lines != shown:
                    self._prompt.replace(lines)
                    shown = lines
                await trio.sleep(every_s)

    async def _carry_out(self, command: Command, params: Json) -> object:
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
            self._tell(plain(failure.message))
            typed = await self._prompt.ask(f"Type {plain(word)} to go on: ")
            if typed != word:
                raise CallFailed("not confirmed, nothing done", code="confirm") from None
        return await self._link.call(command.name, params | {"confirm": True})

    async def _run_child(self, command: Command, words: list[str]) -> None:
        """A command that the daemon does not answer runs as a program of its own.

        It has the terminal meanwhile, its signals and its full screen; Ctrl-C is its own.
        """
        if command.name in FOR_SHELLS:
            typed = shlex.join([command.name, *words])
            raise CallFailed(
                f"{command.name} is for shells", hint=f"lowcapctl {plain(typed)}", code="refused"
            )
        place = ["--socket", str(self._link.place)] if self._link.place is not None else []
        program = [sys.executable, "-m", "lowcap.terminal.main", "--color", self._colour, *place]
        child = partial(trio.run_process, [*program, command.name, *words], stdin=None, check=False)
        with self._prompt.lent():
            async with trio.open_nursery() as nursery:
                process: trio.Process = await nursery.start(child)
                self._own.add(process.pid)
        if command.name.startswith("is-"):
            self._tell("no" if process.returncode else "yes")

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

    def _tell_error(self, message: str, hint: str) -> None:
        self._tell(f"error: {plain(message)}")
        if hint:
            self._tell(f"hint: {plain(hint)}")
