"""What commands do, with rooms made for tests: wrong parameters, hang-ups, races."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing
from control_kit import ADMIN_PEER, Session, request_line, until
from loguru import logger
from msgspec import Struct

from lowcap.control import server as server_module
from lowcap.control.listen import open_listener
from lowcap.control.server import ControlServer
from lowcap.core import facts
from lowcap.core.errors import BrokenInvariant, CommandError, NoAnswer
from lowcap.core.facts import Record
from lowcap.core.messages import TradingState
from lowcap.core.stopword import StopWord
from lowcap.execution.closing import Closed
from lowcap.handlers import OPERATOR_HALT, PANIC, Commands, Parts
from lowcap.observe.logs import LogRing
from lowcap.observe.traces import TraceIndex
from lowcap.risk.book import Position
from lowcap.risk.guard_state import GuardState
from tests.risk.risk_kit import limits

FLAT = Closed(flat=True, reads=2, cancelled=0, closes=1, foreign=[], took_ms=5)


class Hold(Struct):
    """A hold as the book keeps it."""

    name: str
    state: TradingState
    reason: str
    who: str
    until_ms: int = 0
    since_ms: int = 0


class FakeDesk:
    """Holds, and the facts that were recorded."""

    def __init__(self) -> None:
        self.facts: list[facts.Fact] = []
        self.holds: dict[str, Hold] = {}
        self.positions = {"BTCUSDT": Position(symbol="BTCUSDT", qty=Decimal(2), own_qty=Decimal(2))}
        self.book = SimpleNamespace(
            state=SimpleNamespace(holds=self.holds, guards=GuardState(), switched_off=[]),
            paused_symbols=list,
            position=lambda s: self.positions.get(s) or Position(symbol=s),
            exposures=dict,
            day_result=lambda: Decimal(0),
            open_positions=lambda: list(self.positions.values()),
        )
        self.quotes: dict[str, object] = {}
        self.ledger = SimpleNamespace(sync_now=lambda: None, run=1)
        self.flattening = False
        self.stop_word = StopWord()
        self.settings = SimpleNamespace(limits=limits())
        self.armed = False
        self.mode = "dry"

    def record(self, fact: facts.Fact) -> None:
        self.facts.append(fact)

    def alarm(self, code: str, text: str, hint: str = "") -> None:
        self.record(facts.AlarmRaised(code=code, text=text, hint=hint))

    def equity_usd(self) -> Decimal:
        return Decimal(1_000)

    def now_ms(self) -> int:
        return 1_770_384_590_000

    def state(self) -> TradingState:
        return TradingState.HALTED if self.holds else TradingState.ACTIVE

    def place_hold(
        self, name: str, state: TradingState, reason: str, who: str, until_ms: int = 0
    ) -> None:
        self.holds[name] = Hold(name, state, reason, who, until_ms, len(self.facts))

    def lift_hold(self, name: str, reason: str, who: str) -> None:
        self.holds.pop(name, None)


class FakeKeeper:
    """Work that waits for the test."""

    def __init__(self) -> None:
        self.nursery: trio.Nursery
        self.release = trio.Event()
        self.done: list[str] = []
        self.fault: Exception | None = None
        self.differences: list[str] = []

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        self.nursery.start_soon(task)

    async def _work(self, name: str) -> None:
        await self.release.wait()
        if self.fault is not None:
            raise self.fault
        self.done.append(name)

    async def panic(self, everything: bool) -> Closed:
        await self._work("panic")
        return FLAT

    async def close_symbol(self, symbol: str) -> Closed:
        await self._work(symbol)
        return FLAT

    async def close_all(self) -> Closed:
        await self._work("all")
        return FLAT

    async def cancel_entries(self) -> int:
        await self._work("cancel")
        return 3

    async def reconcile(self, why: str, *, record_always: bool) -> SimpleNamespace:
        await self.release.wait()
        return SimpleNamespace(differences=self.differences)


class Rooms:
    """Commands over a fake desk and a fake keeper."""

    def __init__(self) -> None:
        self.desk, self.keeper, self.commands = FakeDesk(), FakeKeeper(), Commands()
        self.commands.parts = cast(
            Parts,
            SimpleNamespace(
                desk=self.desk, keeper=self.keeper, venue=None, traces=TraceIndex(), ring=LogRing(),
                feeds=[], flow=None, config_hash="h", started_ms=0,
            ),
        )  # fmt: skip

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.commands.handlers[method](params, ADMIN_PEER)


@pytest.fixture
async def rooms(nursery: trio.Nursery) -> Rooms:
    made = Rooms()
    made.keeper.nursery = nursery
    return made


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("pause", {"for": "9" * 30 + "h"}),
    ("pause", {"for": "x"}),
    ("pause", {"for": ""}),
    ("pause", {"for": 0}),
    ("events", {"since": "abc"}),
    ("events", {"since": 1e999}),
    ("events", {"count": "many"}),
    ("events", {"count": float("inf")}),
    ("logs", {"count": "1e3"}),
    ("logs", {"priority": "loud"}),
    ("explain", {"trace": float("inf")}),
    ("explain", {"trace": "1042x"}),
    ("close", {"symbol": "BTC", "pct": "nan"}),
    ("close", {"symbol": "BTC", "pct": 0}),
    ("close", {"symbol": "BTC", "pct": -5}),
    ("close", {"symbol": "BTC", "pct": 100.01}),
    ("close", {"symbol": "BTC", "pct": "sNaN"}),
    ("close", {"all": True, "pct": 50}),
    ("close", {"all": True, "symbol": "BTC"}),
    ("close", {}),
]


@pytest.mark.parametrize(("method", "params"), WRONG)
async def test_wrong_parameters_are_named(
    rooms: Rooms, method: str, params: dict[str, Any]
) -> None:
    with pytest.raises(CommandError) as caught:
        await rooms.ask(method, confirm=True, **params)
    assert caught.value.code == "usage"
    assert rooms.desk.facts == []
    assert rooms.desk.holds == {}


@pytest.mark.parametrize("confirm", [None, False, "no", "yes", 1])
@pytest.mark.parametrize("method", ["panic", "close", "arm"])
async def test_only_a_plain_yes_confirms(rooms: Rooms, method: str, confirm: object) -> None:
    with pytest.raises(CommandError) as caught:
        await rooms.ask(method, symbol="BTC", confirm=confirm)
    assert caught.value.code == "confirm"
    assert not rooms.desk.armed
    assert rooms.desk.holds == {}


async def test_text_to_look_for_is_no_pattern(rooms: Rooms) -> None:
    ring = rooms.commands.parts.ring if rooms.commands.parts else LogRing()
    number = logger.add(ring.sink)
    logger.critical("{}", "stop( here")
    logger.log("SUCCESS", "{}", "fine")
    logger.remove(number)
    assert [line["text"] for line in await rooms.ask("logs", grep="STOP(")] == ["stop( here"]
    assert len(await rooms.ask("logs", priority="error")) == 1
    assert len(await rooms.ask("logs", grep="(a+)+$")) == 0


@pytest.mark.parametrize("method", ["halt", "panic", "close"])
async def test_a_hang_up_does_not_stop_what_was_begun(
    rooms: Rooms,
    tmp_path: Path,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    monkeypatch.setattr(server_module, "FINISH_WITHIN_S", 0.2)
    server = ControlServer(rooms.commands)
    listener = open_listener(tmp_path / "c.sock", {})
    nursery.start_soon(trio.serve_listeners, server.handle, [listener])
    async with await trio.open_unix_socket(tmp_path / "c.sock") as stream:
        session = Session(stream)
        await session.receive()
        await session.send(request_line(1, method, {"confirm": True, "all": True}))
        await until(lambda: any(c.calls for c in server._clients))
        await session.send(b'{"method":"$/cancel","params":{"id":1}}\n')
        assert (await session.receive())["error"]["data"]["code"] == "cancelled"
        await session.send(request_line(2, method, {"confirm": True, "all": True}))
        await until(lambda: any(2 in c.calls for c in server._clients))
    await until(lambda: server.clients == 0)
    rooms.keeper.release.set()
    await until(lambda: len(rooms.keeper.done) == 2)


async def test_a_refusal_by_the_venue_reaches_the_operator(rooms: Rooms) -> None:
    rooms.keeper.release.set()
    rooms.keeper.fault = NoAnswer("the venue is away")
    with pytest.raises(NoAnswer):
        await rooms.ask("halt")
    assert OPERATOR_HALT in rooms.desk.holds


async def test_a_broken_invariant_ends_the_venues_room() -> None:
    rooms = Rooms()
    rooms.keeper.release.set()
    rooms.keeper.fault = BrokenInvariant("impossible")
    with pytest.RaisesGroup(BrokenInvariant, CommandError):
        async with trio.open_nursery() as nursery:
            rooms.keeper.nursery = nursery
            await rooms.ask("halt")


async def test_resume_does_not_lift_a_panic_that_came_meanwhile(
    rooms: Rooms, nursery: trio.Nursery
) -> None:
    refused: list[CommandError] = []
    rooms.desk.place_hold(OPERATOR_HALT, TradingState.HALTED, "x", "uid 0")

    async def resume() -> None:
        try:
            await rooms.ask("resume", reason="fine")
        except CommandError as error:
            refused.append(error)

    nursery.start_soon(resume)
    await trio.testing.wait_all_tasks_blocked()
    rooms.desk.place_hold(PANIC, TradingState.HALTED, "now", "uid 0")
    rooms.keeper.release.set()
    await until(lambda: bool(refused))
    assert refused[0].code == "refused"
    assert set(rooms.desk.holds) == {OPERATOR_HALT, PANIC}


async def test_resume_after_a_halt_needs_a_reason_and_agreement(rooms: Rooms) -> None:
    rooms.keeper.release.set()
    rooms.desk.place_hold(OPERATOR_HALT, TradingState.HALTED, "x", "uid 0")
    with pytest.raises(CommandError, match="needs a reason"):
        await rooms.ask("resume")
    rooms.keeper.differences = ["BTCUSDT: 1 here, 2 there"]
    with pytest.raises(CommandError, match="belief and venue differ"):
        await rooms.ask("resume", reason="fine")
    rooms.keeper.differences = []
    assert await rooms.ask("resume", reason="fine") == {"state": "ACTIVE", "holds": []}


async def test_who_asked_is_recorded_in_harmless_words(rooms: Rooms) -> None:
    await rooms.ask("pause", reason="lunch\x1b[2J\nHOLD forged", **{"for": "30m"})
    fact = rooms.desk.facts[0]
    assert isinstance(fact, facts.CommandReceived)
    assert (fact.method, fact.uid, fact.pid) == ("pause", 0, 1)
    assert fact.params.isprintable()
    assert rooms.desk.holds["operator-pause"].reason.isprintable()


async def test_a_bug_raises_an_alarm(rooms: Rooms) -> None:
    rooms.commands.on_bug("status", ZeroDivisionError("division\nby zero"))
    assert rooms.desk.facts == [
        facts.AlarmRaised(
            code="command-bug",
            text="status: ZeroDivisionError: division by zero",
            hint="lowcapctl logs",
        )
    ]
    Commands().on_bug("status", ZeroDivisionError("before there are rooms"))


async def test_before_the_rooms_are_built() -> None:
    commands = Commands()
    assert commands.hello()["run"] == 0
    assert await commands.handlers["events"]({}, ADMIN_PEER) == []
    with pytest.raises(CommandError) as caught:
        await commands.handlers["status"]({}, ADMIN_PEER)
    assert caught.value.code == "starting"


async def test_events_are_counted_from_since(rooms: Rooms) -> None:
    for seq in range(1, 60):
        body = facts.RunEnded(reason=str(seq))
        record = Record(seq=seq, ts=seq, run=1, kind="RunEnded", cause=0, body=body)
        rooms.commands.read(record)
    assert [e["seq"] for e in await rooms.ask("events")] == list(range(40, 60))
    assert [e["seq"] for e in await rooms.ask("events", since=55)] == [56, 57, 58, 59]
    assert [e["seq"] for e in await rooms.ask("events", count=2)] == [58, 59]
    assert await rooms.ask("events", type="Filled") == []
