"""``lowcapd selftest``: one frame through the whole daemon, offline, to its fill, stop and end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import trio
import trio.testing
from attrs import Factory, define

from lowcap.binance.venue import read_snapshot
from lowcap.config import load, shipped
from lowcap.core.account import Snapshot
from lowcap.core.clock import NS_PER_S, SystemClock, now_ms
from lowcap.core.errors import LowcapError
from lowcap.core.plain import plain
from lowcap.daemon import run_daemon
from lowcap.doctor.findings import FAIL, Finding, fail, ok, report
from lowcap.handlers import Commands
from lowcap.house import Surroundings
from lowcap.ledger.replay import replay
from lowcap.net.net import MemoryNet
from lowcap.observe.logs import set_up_logging
from lowcap.paper.feedserver import CaptureLine, FeedServer, read_capture
from lowcap.paper.prices import MarketLine
from lowcap.programs.replay import LEAD_MS, ReplayClock, dry_settings
from lowcap.risk.book import Book
from lowcap.settings import Settings
from lowcap.terminal.output import json_text
from lowcap.terminal.table import terminal_columns, wrap

CAPTURE, FEED = "captures/payroll-morning.jsonl", "synoptic"
SYMBOL, BEFORE, BEYOND_STOP = "ETHUSDT", Decimal("2412.40"), Decimal("2475.00")
JUMP_AFTER_MS, LOOK_AFTER_MS = 6_000, 16_000
STOP_WITHIN_MS = 3_000
GIVE_UP_S = 300  # of virtual time

Json = dict[str, Any]


@define
class Seen:
    """What the run left behind, for judging."""

    story: Json = Factory(dict)
    held: Snapshot | None = None
    after: Snapshot | None = None
    alarms: list[str] = Factory(list)


def selftest_program(*, as_json: bool) -> int:
    """Run it and say what it proved; 0 when all of it held."""
    machine = SystemClock()
    began_ns = machine.stage_ns()
    set_up_logging("critical", {})
    try:
        findings = _run()
    except* (LowcapError, trio.TooSlowError) as group:
        findings = [fail("daemon", f"it did not get through: {group.exceptions[0]}")]
    took_s = (machine.stage_ns() - began_ns) / NS_PER_S
    value = report(findings) | {"took_s": round(took_s, 2)}
    if as_json:
        click.echo(json_text(value, indent=2))
    else:
        click.echo("lowcapd selftest: one frame through the whole daemon, paper money, no network")
        for row in value["findings"]:
            text = f"{row['level']:<5}{row['name']:<9}{plain(row['text'], 400)}"
            click.echo("\n".join(wrap(text, terminal_columns(), indent=14)))
        held = value["counts"]["ok"]
        click.echo(f"{held} of {len(findings)} held, {took_s:.1f} s")
    return 0 if value["ok"] else 1


def _run() -> list[Finding]:
    """A daemon, an exchange and a feed in a network in memory, under virtual time."""
    line = next(line for line in read_capture([shipped(CAPTURE)]) if line.feed == FEED)
    settings, digest = load(shipped("config.toml"), {})
    with tempfile.TemporaryDirectory(prefix="lowcap-selftest-") as folder:
        around = Surroundings(
            net=MemoryNet(),
            clock=ReplayClock(line.t_ms - LEAD_MS),
            state_dir=Path(folder),
            environ={},
            ring=set_up_logging("critical", {}),
            config_hash=digest,
            sync_in_thread=False,
        )
        seen = Seen()
        virtual = trio.testing.MockClock(autojump_threshold=0)
        trio.run(_play, line, settings, around, seen, clock=virtual)
        return [*judge(seen), _read_back(Path(folder))]


async def _play(line: CaptureLine, settings: Settings, around: Surroundings, seen: Seen) -> None:
    """The frame at its time; then the price moves against the position, through its stop."""
    clock, stop = around.clock, trio.Event()
    now_ms(clock)  # time begins here
    feeds = FeedServer(around.net, clock)
    script = (
        MarketLine(line.t_ms - LEAD_MS, SYMBOL, BEFORE),
        MarketLine(line.t_ms + JUMP_AFTER_MS, SYMBOL, BEYOND_STOP),
    )

    async def until(at_ms: int) -> None:
        await trio.sleep((at_ms - now_ms(clock)) / 1000)

    with trio.fail_after(GIVE_UP_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(feeds.run)
            dry = dry_settings(settings, frozenset({FEED}), feeds.port, around)

            async def daemon(task_status: trio.TaskStatus[Commands]) -> None:
                await run_daemon(dry, around, stop, script=script, task_status=task_status)
                nursery.cancel_scope.cancel(reason="the daemon has left")

            commands: Commands = await nursery.start(daemon)
            parts = commands.parts
            if parts is None:
                raise AssertionError("the rooms are open")
            await feeds.play([line], speed=None)
            rest = parts.venue.rest
            await until(line.t_ms + JUMP_AFTER_MS - 1_000)
            seen.held = await read_snapshot(rest, parts.venue.venue_ms())
            await until(line.t_ms + LOOK_AFTER_MS)
            seen.after = await read_snapshot(rest, parts.venue.venue_ms())
            if (root := parts.traces.last()) is not None:
                seen.story = parts.traces.explain(root)
            stop.set()


def judge(seen: Seen) -> list[Finding]:
    """Each thing that the run should have shown, from the frame on; one that did not is a FAIL."""
    story = seen.story
    if not story or story["signal"] is None:
        return [fail("frame", f"no signal: {story.get('reason') or 'the frame was not seen'}")]
    signal = story["signal"]
    found = [ok("frame", f"{story['feed']}: {signal['trigger']}, {signal['side']} {SYMBOL}")]
    orders = {name: _of(story, name) for name in ("entry", "stop", "take-profit")}
    entry = next((order for order in orders["entry"] if order["fills"]), None)
    if entry is None:
        refused = "; ".join(row["check"] for row in story["refusals"])
        return [*found, fail("entry", f"not filled: {refused or 'no order'}")]
    own_us = sum(entry["stages_us"].values())
    filled_ms = entry["fills"][0]["after_ms"]
    found.append(
        ok(
            "entry",
            f"{_filled(entry)}; own work {own_us:.0f} µs from frame to order, the first of a run",
            own_work_us=round(own_us, 1),
        )
    )
    found += _protection(seen, orders, filled_ms)
    if found[-1].level == FAIL:
        return found
    if not story["closed"]:
        return [*found, fail("closed", "the stop was executed, but the daemon holds on to it")]
    left = (*seen.after.positions, *seen.after.orders) if seen.after else ("nothing read",)
    if left:
        return [*found, fail("flat", f"left at the exchange: {left}")]
    found.append(ok("flat", "by the exchange: no position and no order left"))
    return found


def _protection(seen: Seen, orders: dict[str, list[Json]], filled_ms: float) -> list[Finding]:
    """Stop and ladder at the exchange in time, and the stop executed by the exchange."""
    found: list[Finding] = []
    stop = next((o for o in orders["stop"] if o["history"]), None)
    at_venue = [o for o in seen.held.orders if o.reduces] if seen.held else []
    confirmed_ms = stop["history"][0]["after_ms"] if stop else 0.0
    late_ms = confirmed_ms - filled_ms
    if stop is None or not any(o.algo for o in at_venue):
        found.append(fail("stop", "no stop at the exchange"))
    elif late_ms > STOP_WITHIN_MS:
        found.append(fail("stop", f"confirmed {late_ms:.0f} ms after the fill"))
    else:
        at = f"at {stop['trigger_price']}, confirmed by the exchange"
        found.append(ok("stop", at, after_fill_ms=round(late_ms, 1)))
    legs = [o for o in at_venue if not o.algo]
    judged: Callable[..., Finding] = ok if len(legs) == len(orders["take-profit"]) == 3 else fail
    found.append(judged("ladder", f"{len(legs)} legs resting at the exchange"))
    done = next((o for o in orders["stop"] if o["fills"]), None)
    if done is not None:
        at = f"{_filled(done)}, when the price went through the stop"
        found.append(ok("closed", at))
    else:
        found.append(fail("closed", "the exchange did not execute the stop"))
    return found


def _of(story: Json, purpose: str) -> list[Json]:
    return [order for order in story["orders"] if order["purpose"] == purpose]


def _filled(order: Json) -> str:
    qty = sum((Decimal(fill["qty"]) for fill in order["fills"]), Decimal(0))
    return f"{order['side']} {qty:f} {order['symbol']} filled at {order['fills'][0]['price']}"


def _read_back(folder: Path) -> Finding:
    """The ledger as a restart would read it: whole, ended in order, nothing open."""
    book, count = Book(), 0

    def fold(record: Any) -> None:  # noqa: ANN401
        nonlocal count
        count += 1
        book.apply(record)

    found = replay(folder / "ledger", fold, repair=False)
    if found.corrupt or found.torn_bytes or not found.ended_in_order:
        return fail("ledger", f"not whole: {found.corrupt or found.torn_bytes or 'no orderly end'}")
    if book.open_positions() or book.open_orders() or book.unknown_orders():
        return fail("ledger", "read back, it believes in a position or order that is gone")
    return ok("ledger", f"{count} records read back: whole, and nothing open", records=count)
