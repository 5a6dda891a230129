"""The prompt: prompt_toolkit in a worker thread, and what is printed above it meanwhile.

At any time one thread only writes to the terminal: the prompt's while it waits for
a line, Trio's otherwise. Two writers tear each other's lines, and a prompt that
gives the terminal back in order to print loses the keys that are pressed just then.
"""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, WordCompleter
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import emacs_insert_mode, has_focus, vi_insert_mode
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

# Four drawings a second at most for what comes by itself; what is typed shows at once.
BETWEEN_PRINTS_S = 0.25
CANCEL_SEEN_WITHIN_S = 0.05
# A terminal that takes nothing (Ctrl-S, a dead line) must not make us grow.
CHUNKS_KEPT = 400
MENU_ROWS = 6

Words = Callable[[], FormattedText]


class LineDropped(Exception):
    """Ctrl-C at the prompt."""


class LeaveRepl(Exception):
    """Ctrl-D at the prompt, or the word quit."""


class _Terminal(Vt100_Output):
    """A terminal that is never asked where its cursor is.

    The answer would take a round trip for each line printed, arrives among the keys,
    and some terminals give none: those would have no toolbar. All that depends on it
    is whether the toolbar sticks to the last row; ours stands below the line.
    """

    @property
    def responds_to_cpr(self) -> bool:
        return False

    def get_rows_below_cursor_position(self) -> int:
        return 1


class Helpers(NamedTuple):
    """What the prompt asks while somebody types: pure functions over what is known."""

    completer: Completer
    prompt: Words
    toolbar: Words
    help_on: Callable[[str], str]


class Prompt:
    """Asks for lines, one after the other, and prints above the line that is being typed."""

    def __init__(self, history: History, helpers: Helpers, *, vi: bool, colour: bool) -> None:
        self._helpers = helpers
        depth = None if colour else ColorDepth.DEPTH_1_BIT
        output = _Terminal.from_pty(
            sys.stdout, os.environ.get("TERM"), depth or ColorDepth.from_env()
        )
        keys = self._keys()
        self._lines: PromptSession[str] = PromptSession(
            history=history,
            auto_suggest=AutoSuggestFromHistory(),
            completer=helpers.completer,
            complete_while_typing=True,
            reserve_space_for_menu=MENU_ROWS,
            bottom_toolbar=helpers.toolbar,
            key_bindings=keys,
            vi_mode=vi,
            color_depth=depth,
            output=output,
            interrupt_exception=LineDropped,
            eof_exception=LeaveRepl,
        )
        self._answers: PromptSession[str] = PromptSession(
            history=DummyHistory(),
            complete_while_typing=True,
            reserve_space_for_menu=MENU_ROWS,
            bottom_toolbar=helpers.toolbar,
            key_bindings=keys,
            vi_mode=vi,
            color_depth=depth,
            output=output,
            interrupt_exception=LineDropped,
            eof_exception=LineDropped,
        )
        self._session = self._lines
        self._is_asking = self._is_lent = self._is_scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[str] = deque()
        self._missed = 0
        self._printed_at = 0.0
        self._drawn: object = None
        self._block = (0, os.terminal_size((0, 0)))

    # -- in Trio's thread -----------------------------------------------------------

    def say(self, text: str) -> None:
        """Print lines, above the prompt where there is one."""
        if len(self._waiting) >= CHUNKS_KEPT or self._is_lent:
            self._missed += 1
            return
        self._waiting.append(text)
        if not self._is_asking:
            self._print_here()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._in_prompt(self._print_soon)

    def refresh(self) -> None:
        """What stands in the toolbar may have changed: draw it if it has."""
        if self._is_asking:
            self._in_prompt(self._redraw_if_changed)

    async def read(self) -> str:
        """Await one line. Cancelling the caller ends the prompt and gives the terminal back.

        Raises:
            LineDropped, LeaveRepl: Ctrl-C, Ctrl-D.
        """
        return await self._read(self._lines, self._helpers.prompt)

    async def ask(self, question: str, choices: tuple[str, ...] = ()) -> str:
        """Await the answer to a question; it is kept in no history.

        Raises:
            LineDropped: Ctrl-C or Ctrl-D.
        """
        self._answers.completer = WordCompleter(list(choices), ignore_case=True)
        answer = await self._read(self._answers, lambda: FormattedText([("", question)]))
        return answer.strip()

    async def _read(self, session: PromptSession[str], words: Words) -> str:
        self._session, self._is_asking = session, True
        try:
            return await trio.to_thread.run_sync(self._run, words)
        finally:
            self._is_asking = self._is_scheduled = False
            self._loop = None
            self._print_here()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The terminal belongs to another program meanwhile: nothing is printed into it."""
        self._is_lent = True
        try:
            yield
        finally:
            self._is_lent = False
            self._print_here()

    def replace(self, lines: list[str]) -> None:
        """Print lines over those of the last call, where nothing has been printed since."""
        rows, size = self._block
        now = os.get_terminal_size(sys.stdout.fileno())
        if 0 < rows < now.lines and size == now and os.environ.get("TERM") != "dumb":
            sys.stdout.write(f"\033[{rows}A\r\033[J")
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        self._block = (len(lines), now)

    def end_block(self) -> None:
        """The next ``replace`` begins a new block."""
        self._block = (0, self._block[1])

    def _print_here(self) -> None:
        if not self._waiting and not self._missed:
            return
        self.end_block()
        for text in self._taken():
            print(text)
        sys.stdout.flush()

    def _in_prompt(self, work: Callable[[], None]) -> None:
        # A prompt that has just ended prints no more; then we do, when its thread is back.
        # One that is only beginning looks by itself.
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(work)

    # -- in the prompt's thread -----------------------------------------------------

    def _run(self, words: Words) -> str:
        app = self._session.app

        async def leave_when_cancelled() -> None:
            while not app.is_done:
                await asyncio.sleep(CANCEL_SEEN_WITHIN_S)
                try:
                    trio.from_thread.check_cancelled()
                except trio.Cancelled as cancelled:
                    app.exit(exception=cancelled)
                    return

        def begin() -> None:
            self._loop = asyncio.get_running_loop()
            self._printed_at = self._loop.time() - BETWEEN_PRINTS_S
            self._drawn = self._words_now()
            self._print_soon()  # what was said while the thread was starting
            app.create_background_task(leave_when_cancelled())

        return self._session.prompt(
            words, pre_run=begin, handle_sigint=False, set_exception_handler=False
        )

    def _print_soon(self) -> None:
        loop = self._loop
        if loop is not None:  # even if nothing waits by now: the next may rely on it
            wait_s = self._printed_at + BETWEEN_PRINTS_S - loop.time()
            loop.call_later(max(wait_s, 0.0), self._print_above)

    def _print_above(self) -> None:
        """Take the prompt away, print, let it be drawn anew: in one go, the keys stay ours."""
        app, loop = self._session.app, self._loop
        self._is_scheduled = False  # first: what comes from now on asks for another turn
        if not self._waiting or app.is_done or loop is None:
            return
        self._printed_at = loop.time()
        app.renderer.erase()
        for text in self._taken():
            app.output.write_raw(text.replace("\n", "\r\n") + "\r\n")
        app.output.flush()
        app.invalidate()

    def _taken(self) -> Iterator[str]:
        while self._waiting:
            yield self._waiting.popleft()
        missed, self._missed = self._missed, 0
        if missed:
            yield f"({missed} more came meanwhile: events -n {min(missed, 1_000)})"

    def _words_now(self) -> object:
        return [*self._helpers.prompt(), *self._helpers.toolbar()]

    def _redraw_if_changed(self) -> None:
        now = self._words_now()
        if now != self._drawn and not self._session.app.is_done:
            self._drawn = now
            self._session.app.invalidate()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        is_typing = has_focus(DEFAULT_BUFFER) & (emacs_insert_mode | vi_insert_mode)

        @keys.add("f1")
        def _(event: KeyPressEvent) -> None:
            """Help on the command that is being typed, above the line."""
            self._waiting.append(self._helpers.help_on(event.current_buffer.text))
            self._print_above()

        keys.add("tab", filter=is_typing)(_take_best)
        return keys


def _take_best(event: KeyPressEvent) -> None:
    """The next entry of the menu; the best one where the menu is not there yet.

    Keys may be typed faster than the menu is made.
    """
    buffer = event.current_buffer
    if buffer.complete_state:
        buffer.complete_next()
        return
    asked = CompleteEvent(completion_requested=True)
    for best in buffer.completer.get_completions(buffer.document, asked):
        buffer.apply_completion(best)
        return


@contextmanager
def keys_unseen() -> Iterator[None]:
    """Keys that are pressed meanwhile do not show; Ctrl-C still makes its signal."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
