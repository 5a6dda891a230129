"""Whole sinks against local services: sockets for what is said, virtual time for what is waited."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from alert_fakes import BOT_TOKEN, SECRET, FakeService, reply, with_services
from alert_kit import HOSTILE, NOON_MS, Tape, alert, is_harmless, sinks_for, write_keys

from lowcap.alerts.office import Alerts
from lowcap.alerts.outbox import WAITING_MAX, Job
from lowcap.alerts.services import signature
from lowcap.alerts.sink import FAILURES_MAX
from lowcap.core import facts
from lowcap.core.clock import LoopClock, SystemClock
from lowcap.core.facts import Fact, SinkChanged
from lowcap.core.money import Side
from lowcap.net.net import MemoryNet, Net, SocketNet
from lowcap.settings import Notify, NotifySink

Services = dict[str, FakeService]


class Office:
    """Alerts, what they recorded, and the ledger that feeds them."""

    def __init__(self, alerts: Alerts, recorded: list[Fact], off: set[str]) -> None:
        self.alerts = alerts
        self.recorded = recorded
        self.off = off
        self.tape = Tape(alerts.now_ms())

    def tell(self, fact: Fact, cause: int = 0) -> int:
        """A new record; returns its number."""
        self.tape.at_ms = self.alerts.now_ms()
        record = self.tape(fact, cause=cause)
        self.alerts.read(record)
        return record.seq

    def alarm(self, text: str, code: str = "orphan") -> None:
        self.tell(facts.AlarmRaised(code=code, text=text))

    def states(self) -> dict[str, str]:
        return {name: outlet.sink.state for name, outlet in self.alerts.outlets.items()}


@asynccontextmanager
async def office(
    net: Net, clock: Any, settings: Notify, environ: dict[str, str], *off: str
) -> AsyncIterator[Office]:
    recorded: list[Fact] = []
    gone = set(off)
    alerts = Alerts(
        settings, "live", net, clock, environ, record=recorded.append, is_off=gone.__contains__
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alerts.run)
        yield Office(alerts, recorded, gone)
        nursery.cancel_scope.cancel(reason="the test is over")
    await alerts.aclose()


async def until(condition: Callable[[], object], within_s: float = 10) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.01)


def on_sockets(main: Callable[[Net, Services], Awaitable[None]]) -> None:
    """Run ``main`` beside services on real loopback sockets."""

    async def run() -> None:
        net = SocketNet()
        await with_services(net, lambda services: main(net, services))

    trio.run(run)


def in_virtual_time(main: Callable[[Net, Services, LoopClock], Awaitable[None]]) -> None:
    """Run ``main`` beside services in memory; time jumps ahead whenever all wait."""

    async def run() -> None:
        net, clock = MemoryNet(), LoopClock(NOON_MS * 1_000_000)
        clock.now_ns()
        await with_services(net, lambda services: main(net, services, clock))

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


# -- what arrives -------------------------------------------------------------------


def test_an_alert_arrives_at_every_service_in_its_own_words(tmp_path: Path) -> None:
    async def main(net: Net, services: Services) -> None:
        settings = Notify(sink=sinks_for(services))
        async with office(net, SystemClock(), settings, write_keys(tmp_path / "keys")) as bench:
            bench.tell(
                facts.PositionClosed(symbol="BTCUSDT", realized=Decimal(-5), fees=Decimal(1))
            )
            await until(lambda: all(service.taken for service in services.values()))
            assert bench.states() == dict.fromkeys(services, "up")
            left = bench.alerts.outlets["pushover"].sink.counts.left
        pushed = services["pushover"].taken[0].fields
        assert pushed["title"] == "LIVE CLOSED BTCUSDT -6.00"
        assert (pushed["priority"], left) == ("0", 7_496)
        written = services["telegram"].taken[0].fields
        assert written["text"].startswith(
            "LIVE CLOSED BTCUSDT -6.00\nBTCUSDT is flat, result -6.00 USD after 1.00 USD of fees\n"
        )
        hooked = services["webhook"].taken[0]
        assert hooked.fields["fields"]["pnl_usd"] == "-6.00"
        stamp = hooked.request.headers["x-lowcap-timestamp"]
        expected = signature(SECRET, stamp, hooked.request.body)
        assert hooked.request.headers["x-lowcap-signature"] == f"sha256={expected}"

    on_sockets(main)


def test_a_hostile_headline_arrives_as_harmless_text(tmp_path: Path) -> None:
    async def main(net: Net, services: Services) -> None:
        settings = Notify(sink=sinks_for(services))
        async with office(net, SystemClock(), settings, write_keys(tmp_path / "keys")) as bench:
            seq = bench.tell(
                facts.NewsSeen(feed="bwe", source_id="1", headline=HOSTILE, decision="signal")
            )
            signal = facts.SignalRaised(
                trigger="elon_btc", feed="bwe", side=Side.BUY, symbols=("BTCUSDT",),
                matched=(HOSTILE,), tier="regular", age_ms=5,
            )  # fmt: skip
            bench.tell(signal, cause=seq)
            await until(lambda: all(service.taken for service in services.values()))
        for service in services.values():
            lines = service.taken[0].text.split("\n")
            assert all(is_harmless(line) for line in lines), lines
            assert not any(line.startswith("FORGED") for line in lines)
        text = services["telegram"].taken[0].text
        assert "*bold* <b>x</b> [a](http://e)" in text, "shown as written: nothing reads markup"

    on_sockets(main)


def test_a_message_far_too_long_is_cut_and_taken(tmp_path: Path) -> None:
    async def main(net: Net, services: Services) -> None:
        settings = Notify(sink=sinks_for(services))
        async with office(net, SystemClock(), settings, write_keys(tmp_path / "keys")) as bench:
            bench.alarm("🚀" * 5_000, code="not-flat")
            await until(lambda: all(service.taken for service in services.values()))
        assert services["pushover"].taken[0].fields["expire"] == "1800"
        assert all(service.requests == 1 for service in services.values())

    on_sockets(main)


# -- what goes wrong ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["pushover_token", "pushover_user", "telegram_token"])
def test_a_wrong_key_kills_that_sink_alone_until_there_is_another(
    tmp_path: Path, name: str
) -> None:
    kind = name.partition("_")[0]

    async def main(net: Net, services: Services) -> None:
        keys = tmp_path / "keys"
        environ = write_keys(keys, **{f"notify_{name}": "WRONG-key"})
        async with office(net, SystemClock(), Notify(sink=sinks_for(services)), environ) as bench:
            bench.alarm("first")
            await until(lambda: bench.states()[kind] == "dead")
            others = [service for other, service in services.items() if other != kind]
            await until(lambda: all(service.taken for service in others))
            (fact,) = bench.recorded
            assert isinstance(fact, SinkChanged)
            assert (fact.sink, fact.state) == (kind, "dead")
            assert "WRONG-key" not in fact.why
            bench.tell(fact)
            await until(lambda: all(len(service.taken) == 2 for service in others))
            assert f"alert sink {kind} is given up" in others[0].taken[1].text
            bench.alarm("lost")
            assert bench.alerts.outlets[kind].sink.counts.dropped >= 2
            write_keys(keys)
            bench.alerts.switch(kind, on=True)
            bench.alarm("after")
            await until(lambda: services[kind].taken)
            assert "after" in services[kind].taken[-1].text
            assert [fact.state for fact in bench.recorded if isinstance(fact, SinkChanged)] == [
                "dead", "up",
            ]  # fmt: skip

    on_sockets(main)


def test_a_missing_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    async def main(net: Net, services: Services) -> None:
        (tmp_path / "keys").mkdir()
        environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "keys")}
        sinks = sinks_for(services)
        del sinks["webhook"]  # it may do without
        async with office(net, SystemClock(), Notify(sink=sinks), environ) as bench:
            await until(lambda: set(bench.states().values()) == {"dead"})
            reasons = [fact.why for fact in bench.recorded if isinstance(fact, SinkChanged)]
        assert sorted(reasons) == [
            f"no token: give the credential notify-{kind}-token, or set notify.sink.{kind}.key_file"
            for kind in ("pushover", "telegram")
        ]
        assert not any(service.requests for service in services.values())

    on_sockets(main)


@pytest.mark.parametrize("kind", ["pushover", "telegram", "webhook"])
def test_a_limit_is_obeyed_to_the_second_and_never_kills(tmp_path: Path, kind: str) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        service = services[kind]
        limited = {
            "telegram": reply(429, {"ok": False, "parameters": {"retry_after": 40}}),
        }.get(kind, reply(429, {}, Retry_After="40"))
        service.script.extend([limited] * (FAILURES_MAX + 3))
        sinks = {kind: sinks_for(services)[kind]}
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            started_s = trio.current_time()
            bench.alarm("patience")
            await until(lambda: service.taken, within_s=3_600)
            waited_s = service.taken[0].at_s - started_s
            assert waited_s == pytest.approx(40 * (FAILURES_MAX + 3), abs=1)
            assert not bench.recorded

    in_virtual_time(main)


@pytest.mark.parametrize("kind", ["pushover", "telegram", "webhook"])
def test_errors_of_the_server_are_tried_again_ever_more_slowly(tmp_path: Path, kind: str) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        service = services[kind]
        service.script.extend([reply(500), "drop", reply(502), reply(503, Retry_After="90")])
        sinks = {kind: sinks_for(services)[kind]}
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            bench.alarm("at last")
            await until(lambda: service.requests == 1)
            assert bench.states()[kind] == "waiting"
            await until(lambda: service.taken, within_s=3_600)
            sink = bench.alerts.outlets[kind].sink
            assert (sink.counts.sent, sink.counts.failed, sink.state) == (1, 4, "up")
            assert service.taken[0].at_s >= 5 + 5 + 5 + 90

    in_virtual_time(main)


def test_a_server_that_never_answers_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        services["telegram"].always = "hang"
        services["webhook"].always = reply(500)
        settings = Notify(sink=sinks_for(services), coalesce_s=0)
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            for hour in range(5):
                for n in range(60):
                    bench.alarm(f"alarm {hour} {n}")
                    await trio.sleep(60)
            assert bench.states() == {"pushover": "up", "telegram": "dead", "webhook": "dead"}
            assert len(services["pushover"].taken) == 300
            dead = [fact for fact in bench.recorded if isinstance(fact, SinkChanged)]
            assert sorted(fact.sink for fact in dead) == ["telegram", "webhook"]
            assert all(f"{FAILURES_MAX} failures in a row" in fact.why for fact in dead)
            assert services["telegram"].requests == services["webhook"].requests == FAILURES_MAX
            for kind in ("telegram", "webhook"):
                sink = bench.alerts.outlets[kind].sink
                assert (sink.counts.dropped, len(sink.box)) == (300, 0)
                assert BOT_TOKEN not in sink.counts.last_error

    in_virtual_time(main)


def test_while_a_service_hangs_a_bounded_box_keeps_the_severest(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        service = services["webhook"]
        service.script.append("hang")
        sinks = {"webhook": sinks_for(services)["webhook"]}
        settings = Notify(sink=sinks, coalesce_s=0)
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            bench.alarm("in the way")
            await until(lambda: service.requests)
            bench.alarm("danger", code="unprotected")
            for n in range(500):
                bench.tell(facts.BreakerChanged(name=f"b{n}", state="open", why="w"))
            sink = bench.alerts.outlets["webhook"].sink
            assert len(sink.box) == WAITING_MAX
            assert sink.counts.dropped == 501 - WAITING_MAX
            await until(lambda: len(service.taken) == WAITING_MAX + 1, within_s=600)
            assert [taken.fields["subject"] for taken in list(service.taken)[:3]] == [
                "orphan", "unprotected", f"b{501 - WAITING_MAX}",
            ]  # fmt: skip

    in_virtual_time(main)


def test_messages_to_a_group_keep_the_pace_that_telegram_asks_for(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        sinks = {"telegram": sinks_for(services)["telegram"]}
        settings = Notify(sink=sinks, coalesce_s=0)
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            for n in range(40):
                bench.alarm(f"alarm {n}")
            await until(lambda: len(services["telegram"].taken) == 40, within_s=600)
        times = [taken.at_s for taken in services["telegram"].taken]
        assert all(times[n + 20] - times[n] >= 59.9 for n in range(20))

    in_virtual_time(main)


def test_a_message_that_a_service_refuses_does_not_hold_up_the_next(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        service = services["webhook"]
        service.script.append(reply(413))
        sinks = {"webhook": sinks_for(services)["webhook"]}
        ended: list[str] = []
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            for text in ("refused", "taken"):
                bench.alerts.outlets["webhook"].sink.put(Job(alert(text=text), ended.append))
            await until(lambda: service.taken)
            assert ended == ["refused: HTTP 413", ""]
            assert bench.alerts.outlets["webhook"].sink.counts.refused == 1

    in_virtual_time(main)


# -- what operators change ------------------------------------------------------------


def test_a_sink_that_was_put_off_takes_nothing_even_in_the_middle_of_a_wait(
    tmp_path: Path,
) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        service = services["webhook"]
        service.always = reply(500)
        sinks = {"webhook": sinks_for(services)["webhook"]}
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            bench.alarm("one")
            await until(lambda: service.requests == 1)
            bench.alerts.switch("webhook", on=False)
            bench.alarm("two")
            service.always = None
            await trio.sleep(3_600)
            assert (service.requests, bench.states()) == (1, {"webhook": "off"})
            bench.alerts.switch("webhook", on=True)
            bench.alarm("three")
            await until(lambda: service.taken)
            assert "three" in service.taken[0].text

    in_virtual_time(main)


def test_a_sink_that_was_put_off_before_the_start_stays_off(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        environ = write_keys(tmp_path / "keys")
        settings = Notify(sink=sinks_for(services))
        async with office(net, clock, settings, environ, "telegram") as bench:
            await trio.sleep(1)
            bench.alarm("one")
            await until(lambda: services["pushover"].taken and services["webhook"].taken)
            assert not services["telegram"].requests
            assert bench.states()["telegram"] == "off"

    in_virtual_time(main)


def test_another_configuration_takes_effect_at_once(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        sinks = sinks_for(services)
        settings = Notify(sink=sinks | {"telegram": attrs.evolve(sinks["telegram"], enabled=False)})
        keys = write_keys(tmp_path / "keys", notify_pushover_token="WRONG")
        async with office(net, clock, settings, keys) as bench:
            bench.alarm("one")
            await until(lambda: bench.states()["pushover"] == "dead")
            write_keys(tmp_path / "keys")
            webhook = attrs.evolve(sinks["webhook"], events=("feed.*",))
            bench.alerts.take(Notify(sink=sinks | {"webhook": webhook}))
            bench.alarm("two")
            await until(lambda: services["pushover"].taken and services["telegram"].taken)
            assert len(services["webhook"].taken) == 1, "it wants feeds only"
            bench.alerts.take(Notify(level="critical", sink={"telegram": sinks["telegram"]}))
            bench.alarm("three")
            bench.alarm("danger", code="unprotected")
            await until(lambda: len(services["telegram"].taken) == 2, within_s=60)
            assert "danger" in services["telegram"].taken[1].text
            assert bench.states() == {"telegram": "up"}
            bench.alerts.take(Notify())
            bench.alarm("nobody listens")
            await trio.sleep(600)
            assert sum(len(service.taken) for service in services.values()) == 4

    in_virtual_time(main)


def test_drawing_together_quiet_hours_and_the_days_summary_come_by_themselves(
    tmp_path: Path,
) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        quiet = attrs.evolve(sinks_for(services)["webhook"], quiet_hours="13:00-14:30 Europe/Paris")
        settings = Notify(sink={"webhook": quiet}, daily="23:00 Asia/Tokyo")
        taken = services["webhook"].taken
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            bench.alerts.summary = lambda: "3 closed, +12.00 USD"
            bench.alarm("held back")  # noon UTC is 13:00 in Paris
            await trio.sleep(89 * 60)
            assert not taken
            await trio.sleep(120)
            assert taken[0].fields["event"] == "digest"
            for _ in range(4):
                bench.alarm("again")
            await trio.sleep(61)
            assert [each.fields["more"] for each in taken] == [0, 0, 3]
            await trio.sleep(30 * 60)
            assert taken[-1].fields["event"] == "summary"  # 14:00 UTC
            assert taken[-1].fields["text"].startswith("3 closed, +12.00 USD\n")
            await trio.sleep(86_400)
            assert [each.fields["event"] for each in taken][-1] == "summary"
            assert sum(each.fields["event"] == "summary" for each in taken) == 2

    in_virtual_time(main)


def test_at_the_end_what_was_held_back_is_told_and_nobody_waits_for_a_mute_service(
    tmp_path: Path,
) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        services["telegram"].always = "hang"
        settings = Notify(sink=sinks_for(services))
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            for _ in range(3):
                bench.alarm("same")
            bench.tell(facts.RunEnded(reason="stopped"))
            started_s = trio.current_time()
            await bench.alerts.drain()
            assert trio.current_time() - started_s <= 3.01
            events = [taken.fields["event"] for taken in services["webhook"].taken]
            assert events == ["alarm", "alarm", "daemon.stopped"]

    in_virtual_time(main)


def test_a_bug_in_here_ends_nothing(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        sinks = {"webhook": sinks_for(services)["webhook"]}
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            broken: Any = facts.Filled(
                client_id="x", symbol="X", side=Side.BUY, trade_id=1, qty=Decimal(1),
                price=None,  # type: ignore[arg-type]  # what must not be
            )  # fmt: skip
            bench.tell(broken)
            assert bench.alerts.faults == 1
            bench.alerts.summary = lambda: 1 // 0  # type: ignore[return-value]
            daily = Notify(sink=sinks, daily="12:01")
            bench.alerts.take(daily)
            await trio.sleep(120)
            assert bench.alerts.faults == 2
            bench.alarm("goes on")
            await until(lambda: services["webhook"].taken)

    in_virtual_time(main)


def test_a_sink_with_a_bug_is_restarted_then_given_up_then_revived(tmp_path: Path) -> None:
    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        sinks = {"webhook": sinks_for(services)["webhook"]}
        async with office(net, clock, Notify(sink=sinks), write_keys(tmp_path / "keys")) as bench:
            outlet = bench.alerts.outlets["webhook"]
            right = outlet.sink._opening

            def wrong() -> Any:
                raise ZeroDivisionError("a bug")

            outlet.sink._opening = wrong
            await until(lambda: bench.states()["webhook"] == "dead", within_s=60)
            assert "ZeroDivisionError" in outlet.sink.counts.last_error
            outlet.sink._opening = right
            bench.alerts.switch("webhook", on=True)
            bench.alarm("well again")
            await until(lambda: services["webhook"].taken)

    in_virtual_time(main)


def test_keys_are_nowhere_in_what_is_kept_or_recorded(tmp_path: Path) -> None:
    """A server that quotes the key back, a redirect, a refusal, a cut: no word of it."""

    async def main(net: Net, services: Services, clock: LoopClock) -> None:
        quoting = {
            "pushover": reply(400, {"token": "invalid", "errors": ["bad MARKED-app-token, "
                                    "MARKED-user-key"]}),
            "telegram": reply(400, {"description": f"bad {BOT_TOKEN}"}),
            "webhook": reply(500),
        }  # fmt: skip
        for kind, service in services.items():
            service.script.extend(["drop", quoting[kind], reply(302, Location="http://x")])
        settings = Notify(sink=sinks_for(services), coalesce_s=0)
        async with office(net, clock, settings, write_keys(tmp_path / "keys")) as bench:
            for n in range(3):
                bench.alarm(f"alarm {n}")
                await trio.sleep(300)
            kept = [outlet.sink.counts.last_error for outlet in bench.alerts.outlets.values()]
            told = json.dumps([str(fact) for fact in bench.recorded]) + json.dumps(kept)
            assert all(kept)
            assert "MARKED" not in told

    in_virtual_time(main)


def test_a_sink_by_environment_and_by_key_file(tmp_path: Path) -> None:
    async def main(net: Net, services: Services) -> None:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        base = NotifySink(kind="webhook", url=services["webhook"].url, enabled=True)
        sinks = {
            "file": attrs.evolve(base, key_file=str(secret)),
            "env": attrs.evolve(base, key_env="HOOK_KEY"),
        }
        async with office(net, SystemClock(), Notify(sink=sinks), {"HOOK_KEY": SECRET}) as bench:
            bench.alarm("one")
            await until(lambda: len(services["webhook"].taken) == 2)
        for taken in services["webhook"].taken:
            assert "x-lowcap-signature" in taken.request.headers

    on_sockets(main)
