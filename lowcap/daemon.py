"""START HERE. The daemon opens its rooms in order, waits, and leaves in order.

    market ─ alerts ─ ledger ─ control ─ venue ─ intake

Each room is a service nursery: what an inner room still needs while it cleans
up dies only after it. The picture is in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from lowcap.control.server import ControlServer
from lowcap.core import facts
from lowcap.core.venuefile import VENUE_FILE, leave_venue_file
from lowcap.handlers import Commands
from lowcap.heartbeat import tell_systemd
from lowcap.house import House, Surroundings, begin_run, build
from lowcap.leave import leave
from lowcap.notify_commands import day_line
from lowcap.paper.embed import Market, open_market
from lowcap.paper.prices import MarketLine
from lowcap.rows import frame_row
from lowcap.settings import Settings
from lowcap.supervise import open_service_nursery

BYE_S = 0.2
ALERTS_END_S = 5.0


async def run_daemon(
    settings: Settings,
    around: Surroundings,
    stop: trio.Event,
    *,
    script: tuple[MarketLine, ...] = (),
    task_status: trio.TaskStatus[Commands] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``stop`` is set; ``started`` when the rooms are open, before recovery ends."""
    async with open_service_nursery() as street:
        market = await street.start(
            open_market,
            settings,
            around.net,
            around.clock,
            around.state_dir,
            around.environ,
            script,
        )
        house = build(settings, around, market)
        begin_run(house)
        _leave_word(house, market)
        async with alerts_room(house), ledger_room(house), control_room(house), venue_room(house):
            async with trio.open_nursery() as intake:
                house.intake.open(intake)
                if settings.caps.enabled:
                    intake.start_soon(house.caps.run)
                intake.start_soon(tell_systemd, house, around.systemd)
                intake.start_soon(house.gauges.run)
                task_status.started(house.commands)
                await stop.wait()
                house.desk.stopping = True
                around.systemd.tell(STOPPING="1", STATUS="settling orders")
                intake.cancel_scope.cancel(reason="stop")
            with trio.CancelScope(shield=True):
                await leave(house)
            house.desk.record(facts.RunEnded(reason="stopped"))


def _leave_word(house: House, market: Market) -> None:
    """Where we trade, beside the stop file: for ``panic --direct``, when we cannot be asked."""
    around = house.around
    if around.stop_word.path is None:
        return
    folder = around.stop_word.path.parent
    try:
        leave_venue_file(folder, market.told(house.settings, around.state_dir))
    except OSError as error:
        why = f"{folder / VENUE_FILE}: {error.strerror}"
        house.desk.alarm("venue-file", why, "panic --direct will go by config.toml")


@asynccontextmanager
async def alerts_room(house: House) -> AsyncIterator[None]:
    """The sinks of alerts: outside of the ledger, so that its last record is told too."""
    alerts = house.parts.alerts
    alerts.summary = partial(day_line, house.parts)
    async with open_service_nursery() as nursery:
        nursery.start_soon(alerts.run)
        try:
            yield
        finally:
            with trio.move_on_after(ALERTS_END_S, shield=True):
                await alerts.drain()
                await alerts.aclose()


@asynccontextmanager
async def ledger_room(house: House) -> AsyncIterator[None]:
    """The writer's background sync and the readers; the last to go."""
    desk = house.desk

    def health(why: str) -> None:
        desk.set_health("ledger", not why, why)

    async def keep_synced() -> None:
        await house.ledger.keep_synced(
            house.checkpoint, health, in_thread=house.around.sync_in_thread
        )

    try:
        async with open_service_nursery() as nursery:
            nursery.start_soon(house.ledger.publish)
            nursery.start_soon(keep_synced)
            nursery.start_soon(house.intake.recorder.run)
            yield
    finally:
        house.ledger.close()


@asynccontextmanager
async def control_room(house: House) -> AsyncIterator[None]:
    """The operators' socket, where there is one."""
    server = ControlServer(house.commands)
    house.commands.publisher = server
    house.gauges.clients = lambda: server.clients
    house.around.ring.on_record = lambda line: server.publish("logs", line)
    house.intake.listeners.append(partial(_tail, server))
    async with open_service_nursery() as nursery:
        if house.around.listener is not None:
            nursery.start_soon(trio.serve_listeners, server.handle, [house.around.listener])
        yield
        server.say_bye()
        with trio.move_on_after(BYE_S):
            while server.clients:
                await trio.sleep(0.01)


def _tail(server: ControlServer, feed: str, received_ns: int, frame: bytes) -> None:
    """Show a frame to the operators who follow its feed."""
    if server.is_followed("feed"):
        server.publish("feed", frame_row(feed, received_ns, frame))


@asynccontextmanager
async def venue_room(house: House) -> AsyncIterator[None]:
    """Order socket, streams, and the keeper with everything that trading waits for."""
    try:
        async with open_service_nursery() as nursery:
            nursery.start_soon(house.venue.socket.run)
            nursery.start_soon(house.user_stream.run)
            nursery.start_soon(house.price_stream.run)
            found = house.found
            house.keeper.open(nursery, crashed=found.last_run > 0 and not found.ended_in_order)
            yield
    finally:
        for http in house.https:
            await http.aclose()
