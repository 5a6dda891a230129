"""What each key does: from a key and what is known to requests and another view. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lowcap.control.client import CallFailed
from lowcap.control.protocol import Json
from lowcap.core.errors import LowcapError
from lowcap.terminal.output import json_text
from lowcap.terminal.render import render
from lowcap.terminal.table import Style
from lowcap.terminal.top.ask import (
    Ask,
    Call,
    CancelCalls,
    Child,
    Editor,
    Effect,
    Leave,
    Redraw,
    Refresh,
)
from lowcap.terminal.top.keys import MOVES, PAGE_KEYS, help_lines, keys_of
from lowcap.terminal.top.logs_page import record_lines
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.settings_page import value_text
from lowcap.terminal.top.text import clean, number, rows_of, short
from lowcap.terminal.top.typed import History, Told, call_of, finish_word
from lowcap.terminal.top.view import LOGS, POSITIONS, SETTINGS, Filters, Pager, View

EXIT_INTERRUPTED = 130
LINES_LONGEST = 2_000
Effects = Sequence[Effect]


class Seat:
    """One operator before the screen: the view, and what happens to it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.view = View()
        self.waiting: list[Call | Child] = []
        self.width = 80
        self.history = History()

    # -- keys -------------------------------------------------------------------

    def press(self, key: str, data: str = "") -> Effects:
        """Obey one key; returns what is to be done outside."""
        view = self.view
        view.settle(self.model)
        if key == "c-c":
            return self._give_up()
        if key == "c-l":
            return [Redraw(), Refresh("all")]
        if view.ask is not None:
            return self._answer(view.ask, key, data)
        view.notice = ("", "")
        if view.pager is not None:
            return self._turn(view.pager, key)
        if key in PAGE_KEYS:
            view.page = PAGE_KEYS[key]
            return [Refresh("config")] if view.page == SETTINGS else [Refresh("status")]
        found = keys_of(self.model, view.page).get(key)
        if found is not None:
            act: Callable[[], Effects | None] = getattr(self, f"_{found.act}")
            return act() or ()
        if key in MOVES:
            view.step(self.model, MOVES[key])
            if view.page == LOGS and key in ("end", "G"):
                view.place = None
        return ()

    def _give_up(self) -> Effects:
        if self.view.ask is not None:
            if self.view.ask.live is not None:
                self.view.ask.live("")
            self.view.ask = None
            self._say("", "nothing done")
            return ()
        return [CancelCalls()] if self.waiting else [Leave(EXIT_INTERRUPTED)]

    def _answer(self, ask: Ask, key: str, data: str) -> Effects:
        if key == "escape" or (ask.yes_no and key not in ("y", "Y")):
            # A pasted y is no answer, nor is any other key a yes.
            self.view.ask = None
            self._say("", "nothing done")
            if ask.live is not None:
                ask.live("")
            return ()
        if ask.yes_no or key == "enter":
            self.view.ask = None
            self._say("", "")
            return ask.then("y" if ask.yes_no else ask.editor.text.strip())
        if ask.command and key == "tab":
            ask.offers = finish_word(ask.editor, self.model)
        elif ask.command and key in ("up", "down"):
            ask.editor.set(self.history.step(-1 if key == "up" else 1))
        elif ask.editor.press(key, data):
            ask.offers = []
            if ask.live is not None:
                ask.live(ask.editor.text)
        return ()

    def _turn(self, pager: Pager, key: str) -> Effects:
        if key in ("escape", "q", "enter", "?"):
            self.view.pager = None
        elif key in MOVES or key == " ":
            pager.first = max(pager.first + MOVES.get(key, 10), 0)  # the page knows the last
        return ()

    # -- what was asked for, and what became of it ---------------------------------

    def asked(self, call: Call | Child) -> None:
        """A request is on its way, or a program runs."""
        self.waiting.append(call)
        if isinstance(call, Child):
            self._say("dim", f"{call.method} runs ...")
        elif call.method in ("close", "panic", "halt", "stop", "trade", "long", "short"):
            self._say("warn", f"{call.method} {call.params.get('symbol', '')} asked for ...")

    def replied(self, call: Call, value: object) -> Effects:
        """A request was carried out."""
        self._forget(call)
        if call.page and call.as_json:
            self.view.pager = Pager(call.method, json_text(value, indent=2).splitlines())
        elif call.page:
            lines = _rendered(call.page, value, max(self.width - 1, 20))
            self.view.pager = Pager(call.page, lines[:LINES_LONGEST])
        else:
            action = call.params.get("action")
            page = f"{call.method} {action}" if action else call.method
            self._say("good", "; ".join(_rendered(page, value, 400)))
        return [Refresh("config" if call.method == "config" else "status")]

    def refused(self, call: Call, failure: LowcapError) -> Effects:
        """A request was not carried out, or nobody knows."""
        self._forget(call)
        if failure.code == "confirm" and not call.params.get("confirm"):
            self._ask_word(call, failure)
        elif call.method == "stop" and failure.hint.startswith("--loosen"):
            sure = call._replace(params=call.params | {"loosen": True})
            self._ask_yes(f"{failure.message}: loosen it, and end its following?", sure, "warn")
        else:
            hint = f" (hint: {failure.hint})" if failure.hint else ""
            self._say("bad", f"{failure.message}{hint}")
        return [Refresh("status")]

    def printed(self, child: Child, text: str, code: int) -> None:
        """A program has ended."""
        self._forget(child)
        self._say("", "")
        lines = text.splitlines() or ["it said nothing"]
        if code:
            lines.append(f"exit code {code}")
        self.view.pager = Pager(" ".join(child.words), lines[:LINES_LONGEST])

    def cancelled(self, call: Call | Child) -> None:
        """A request was given up."""
        self._forget(call)
        self._say("warn", f"{call.method} given up; what was sent may have been done")

    def _forget(self, call: Call | Child) -> None:
        if call in self.waiting:
            self.waiting.remove(call)

    def _say(self, role: str, text: str) -> None:
        self.view.notice = (role, text)

    def _ask_yes(self, question: str, call: Call, role: str = "bold") -> None:
        self.view.ask = Ask(question, lambda _: [call], yes_no=True, role=role)

    def _ask_word(self, call: Call, failure: LowcapError) -> None:
        word = failure.hint.removeprefix("type ").partition(" to go on")[0]

        def check(typed: str) -> Effects:
            if typed == word:
                return [call._replace(params=call.params | {"confirm": True})]
            self._say("", "not confirmed, nothing done")
            return ()

        self.view.ask = Ask(f"{failure.message}. Type {word} to go on:", check, role="bad")

    # -- keys of every page -----------------------------------------------------------

    def _pause(self) -> Effects:
        return [Call("pause", {"reason": "top"})]

    def _resume(self) -> Effects | None:
        status = self.model.status or {}
        held = [str(hold.get("name")) for hold in rows_of(status.get("holds"))]
        if status.get("state") != "HALTED" and not status.get("paused_symbols"):
            lifted = ", ".join(held) or "nothing is held"
            self._ask_yes(f"take entries again ({lifted})?", Call("resume", {}))
            return None
        question = "resume after a halt; why is it safe again?"

        def go_on(reason: str) -> Effects:
            if reason:
                return [Call("resume", {"reason": reason})]
            self._say("bad", "a reason is needed, nothing done")
            return ()

        self.view.ask = Ask(question, go_on, role="warn")
        return None

    def _halt(self) -> None:
        call = Call("halt", {"reason": "top"})
        self._ask_yes("halt: cancel entries, hold until resume?", call, "warn")

    def _panic(self) -> Effects:
        return [Call("panic", {})]

    def _command(self) -> None:
        self.view.ask = Ask(":", self._obey, command=True)

    def _obey(self, text: str) -> Effects:
        if text in ("q", "quit", "exit"):
            return [Leave(0)]
        self.history.add(text)
        try:
            call = call_of(text)
        except Told as told:
            self.view.pager = Pager(told.title, told.lines)
            return ()
        except CallFailed as failure:
            self._say("bad", f"{failure.message} (hint: {failure.hint})")
            return ()
        return [call] if call is not None else ()

    def _help(self) -> None:
        self.view.pager = Pager("keys", help_lines(self.model))

    def _back(self) -> None:
        view = self.view
        if view.page == LOGS:
            view.filters, view.place = Filters(), None
        view.key_text, view.activity_from = "", 0

    def _redraw(self) -> Effects:
        return [Redraw(), Refresh("all")]

    def _leave(self) -> Effects:
        return [Leave(0)]

    # -- rows ----------------------------------------------------------------------------

    def _detail(self) -> Effects | None:
        view = self.view
        if view.page == POSITIONS and view.symbol:
            return [Call("position", {"symbol": view.symbol}, "position")]
        if view.page == LOGS and (shown := view.logs(self.model)):
            row = shown[view.log_at(shown)].row
            view.pager = Pager("record", record_lines(row))
        if view.page == SETTINGS and (setting := view.setting(self.model)) is not None:
            lines = [f"{name}: {value_text(value) or '-'}" for name, value in setting.items()]
            view.pager = Pager(str(setting.get("key")), lines)
        return None

    def _close(self) -> None:
        row = self.view.position(self.model)
        if row is None:
            self._say("", "there is no position to close")
            return
        profit = number(row.get("unrealized_usd"), sign=True)
        question = f"close {row['symbol']} {row.get('side')} {row.get('qty')} ({profit} USDT)?"
        call = Call("close", {"symbol": row["symbol"], "confirm": True})
        self._ask_yes(question, call, "warn")

    def _move_stop(self) -> None:
        row = self.view.position(self.model)
        if row is None:
            self._say("", "there is no position")
            return
        symbol, now = str(row["symbol"]), short(row.get("stop_price"))
        question = f"stop of {symbol}, now {now}, mark {short(row.get('mark_price'))}; to:"
        self.view.ask = Ask(question, partial(self._stop_to, symbol, now))

    def _stop_to(self, symbol: str, now: str, wanted: str) -> Effects:
        if not wanted:
            self._say("", "nothing done")
            return ()
        call = Call("stop", {"action": "move", "symbol": symbol, "price": wanted})
        self._ask_yes(f"move the stop of {symbol}: {now} -> {clean(wanted, 40)}?", call, "warn")
        return ()

    def _follow(self) -> None:
        view = self.view
        shown = view.logs(self.model)
        view.place = shown[-1].place if view.place is None and shown else None

    def _level(self) -> None:
        self.view.filters.next_level()

    def _area(self) -> None:
        self.view.filters.next_of("area", self.model.values_of("area"))

    def _feed(self) -> None:
        self.view.filters.next_of("feed", self.model.values_of("feed"))

    def _trigger(self) -> None:
        self.view.filters.next_of("trigger", self.model.values_of("trigger"))

    def _clear(self) -> None:
        self.model.logs.clear()
        self.view.place = None

    def _search(self) -> None:
        view = self.view
        on_logs = view.page == LOGS

        def look(text: str) -> None:
            if on_logs:
                view.filters.text = text
            else:
                view.key_text = text

        editor = Editor()
        editor.set(view.filters.text if on_logs else view.key_text)
        view.ask = Ask("/", lambda text: (), editor=editor, live=look)

    def _edit(self) -> None:
        setting = self.view.setting(self.model)
        if setting is None:
            self._say("", "there is no setting to change")
            return
        editor = Editor()
        editor.set(value_text(setting.get("value")))
        allowed = setting.get("range") or "any"
        question = f"{setting['key']} ({allowed}):"
        self.view.ask = Ask(question, partial(self._set_to, setting), editor=editor)

    def _set_to(self, setting: Json, wanted: str) -> Effects:
        old = value_text(setting.get("value"))
        if wanted == old:
            self._say("", "the same value, nothing done")
            return ()
        params: Json = {"action": "set", "what": setting["key"], "value": wanted, "confirm": True}
        question = f"set {setting['key']}: {old or '-'} -> {clean(wanted, 60) or '-'}?"
        self._ask_yes(question, Call("config", params), "warn")
        return ()


def _rendered(page: str, value: object, width: int) -> list[str]:
    """A reply as everywhere; of a daemon of another version perhaps only as it is."""
    try:
        return render(page, value, Style(False), width)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return json_text(value, indent=2).splitlines()
