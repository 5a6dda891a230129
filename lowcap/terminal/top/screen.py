"""The full screen: Trio owns signals, data and keys; prompt_toolkit draws in one worker thread.

The thread shows lines that have been made for it and hands keys over; it
looks at nothing that Trio's side changes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import trio
from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Layout, UIContent, UIControl, Window
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from lowcap.control.client import socket_candidates
from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError, LowcapError
from lowcap.terminal.table import wants_colour
from lowcap.terminal.top.ask import Call, CancelCalls, Effect, Leave, Redraw, Refresh
from lowcap.terminal.top.frame import screen
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.seat import Seat
from lowcap.terminal.top.text import Line
from lowcap.terminal.top.view import SETTINGS
from lowcap.terminal.top.watch import Watch

# What the daemon does is drawn at most four times a second, what a key does at once.
DRAW_EVERY_S = 0.25
KEYS_WAITING_MAX = 1_000
EXIT_HUNG_UP = 128 + signal.SIGHUP
LOOK_FOR_END_S = 0.1
ESCAPE_WAITS_S = 0.1
_NAMES = {"c-m": "enter", "c-j": "enter", "c-h": "backspace", "c-i": "tab", "s-tab": "tab"}
_STYLES = {
    "good": "ansigreen", "bad": "ansired", "warn": "ansiyellow", "dim": "ansibrightblack",
    "bold": "bold", "alarm": "bg:ansired ansiwhite bold", "chosen": "reverse", "cursor": "reverse",
}  # fmt: skip
_COLOURLESS = {
    "good": "", "bad": "bold", "warn": "", "dim": "", "bold": "bold", "alarm": "reverse bold",
    "chosen": "reverse", "cursor": "reverse", "": "",
}  # fmt: skip


class Options(Protocol):
    """What ``lowcapctl`` was told before the command."""

    colour: str
    socket: str


def run_top(params: Json, options: Options) -> int:
    """Show the full screen until the operator leaves; returns the exit code.

    Raises:
        CommandError: there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("top needs a terminal", hint="lowcapctl status")
    places = socket_candidates(options.socket, os.environ)
    return trio.run(_Top(places, wants_colour(options.colour, os.environ)).main)


class _Top:
    """One run of the screen."""

    def __init__(self, places: list[Path], colour: bool) -> None:
        self._model = Model()
        self._seat = Seat(self._model)
        self._watch = Watch(places, self._model, self._changed, self._shows_settings)
        self._canvas = _Canvas()
        self._app = _application(self._canvas, colour, self._key_from_thread)
        self._token: trio.lowlevel.TrioToken | None = None
        self._dirty = trio.Event()
        self._exit_code = 0
        self._everything = trio.CancelScope()
        self._calls: set[trio.CancelScope] = set()
        self._typed, self._keys = trio.open_memory_channel[tuple[str, str]](KEYS_WAITING_MAX)

    async def main(self) -> int:
        """Draw, obey, leave."""
        self._token = trio.lowlevel.current_trio_token()
        with self._everything:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._obey_signals)
                nursery.start_soon(self._watch.run)
                nursery.start_soon(self._draw_when_changed)
                nursery.start_soon(self._obey_keys)
                self._draw()
                try:
                    await trio.to_thread.run_sync(partial(_run, self._app))
                except EOFError:
                    self._exit_code = EXIT_HUNG_UP  # the terminal is gone
                self._leave(self._exit_code)
        return self._exit_code

    def _leave(self, code: int) -> None:
        self._exit_code = code
        self._everything.cancel(reason="the operator leaves")

    def _shows_settings(self) -> bool:
        return self._seat.view.page == SETTINGS

    # -- drawing ------------------------------------------------------------------

    def _changed(self) -> None:
        self._dirty.set()

    async def _draw_when_changed(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty = trio.Event()
            self._draw()
            await trio.sleep(DRAW_EVERY_S)

    def _draw(self) -> None:
        """Make the lines anew; the terminal hears of it only where they differ."""
        size = self._app.output.get_size()
        self._seat.width = size.columns
        lines = screen(self._model, self._seat.view, size.columns, size.rows)
        if lines != self._canvas.lines:
            self._canvas.lines = lines
            with suppress(RuntimeError):  # the loop of an application that ends right now
                self._app.invalidate()

    # -- keys and signals ------------------------------------------------------------

    def _key_from_thread(self, key: str, data: str) -> None:
        assert self._token is not None, "keys come while the application runs"
        with suppress(trio.RunFinishedError):  # a key too late
            self._token.run_sync_soon(self._type, key, data)

    def _type(self, key: str, data: str) -> None:
        with suppress(trio.WouldBlock):  # nobody types so fast
            self._typed.send_nowait((key, data))

    async def _obey_keys(self) -> None:
        async for key, data in self._keys:
            for effect in self._seat.press(key, data):
                self._carry_out(effect)
            self._draw()

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Call):
            self._seat.asked(effect)
            self._nursery.start_soon(self._call, effect)
        elif isinstance(effect, Leave):
            self._leave(effect.code)
        elif isinstance(effect, Refresh):
            self._watch.refresh(effect.method)
        elif isinstance(effect, CancelCalls):
            for scope in self._calls:
                scope.cancel(reason="Ctrl-C")
        elif isinstance(effect, Redraw) and self._app.loop is not None:
            self._app.loop.call_soon_threadsafe(self._app.renderer.clear)
            self._app.invalidate()

    async def _call(self, call: Call) -> None:
        effects: Sequence[Effect] = ()
        with trio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                effects = self._seat.replied(call, await self._watch.call(call.method, call.params))
            except LowcapError as failure:
                effects = self._seat.refused(call, failure)
            finally:
                self._calls.discard(scope)
        if scope.cancelled_caught:
            self._seat.cancelled(call)
        for effect in effects:
            self._carry_out(effect)
        self._draw()

    async def _obey_signals(self) -> None:
        """A new size is drawn; SIGTERM and a hang-up end in order: the terminal is given back."""
        ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with trio.open_signal_receiver(*ends, signal.SIGWINCH) as arriving:
            async for number in arriving:
                if number == signal.SIGWINCH:
                    self._draw()
                else:
                    self._leave(128 + number)


class _Canvas(UIControl):
    """Shows lines that are made elsewhere."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def create_content(self, width: int, height: int) -> UIContent:
        """The lines of this moment."""
        shown = self.lines

        def at(place: int) -> StyleAndTextTuples:
            return [(f"class:{role}" if role else "", text) for role, text in shown[place]]

        return UIContent(get_line=at, line_count=len(shown), show_cursor=False)


def _application(
    canvas: _Canvas, colour: bool, on_key: Callable[[str, str], None]
) -> Application[None]:
    app: Application[None] = Application(
        layout=Layout(Window(canvas, wrap_lines=False)),
        key_bindings=_bindings(on_key),
        style=Style.from_dict(_STYLES if colour else _COLOURLESS),
        include_default_pygments_style=False,
        color_depth=ColorDepth.DEPTH_4_BIT if colour else ColorDepth.DEPTH_1_BIT,
        full_screen=True,
        mouse_support=False,
        terminal_size_polling_interval=None,  # SIGWINCH tells
    )
    app.ttimeoutlen = ESCAPE_WAITS_S
    return app


def _bindings(on_key: Callable[[str, str], None]) -> KeyBindings:
    """Every key there is goes one way: names of their own for special ones, else the character."""
    found = KeyBindings()

    def tell(event: KeyPressEvent) -> None:
        for press in event.key_sequence:
            name = press.key.value if isinstance(press.key, Keys) else press.key
            if name == Keys.BracketedPaste.value:
                on_key("paste", press.data)
            elif not name.startswith("<") or len(name) == 1:
                on_key(_NAMES.get(name, name), press.data)

    for key in Keys:
        found.add(key, eager=True)(tell)
    return found


def _run(app: Application[None]) -> None:
    """Run the application in this thread until it is told to leave, or Trio cancels us."""

    async def leave_when_cancelled() -> None:
        while not app.is_done:
            await asyncio.sleep(LOOK_FOR_END_S)
            try:
                trio.from_thread.check_cancelled()
            except trio.Cancelled as cancelled:
                if not app.is_done:
                    app.exit(exception=cancelled)
                return

    def watch() -> None:
        app.create_background_task(leave_when_cancelled())

    app.run(pre_run=watch, handle_sigint=False, set_exception_handler=False)
