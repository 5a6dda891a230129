"""What systemd hears of a daemon's life: recovering, ready, alive as long as the desk is."""

from __future__ import annotations

import trio

from lowcap.house import House
from lowcap.intake import CONNECTED
from lowcap.observe.systemd import USEC_PER_S, Systemd

BEAT_S = 2.0
BEATS_PER_WATCHDOG = 3
# Longer than a beat, so that a start that waits for the venue never runs out of time.
EXTEND_BY_S = 10


async def tell_systemd(house: House, systemd: Systemd) -> None:
    """READY after recovery; then the watchdog, fed only while the desk's tick goes on.

    A venue that is away extends the time to start, for as long as it is away.
    Feeds and a venue that go away later are told, and starve nothing.
    """
    beat_s = BEAT_S
    if systemd.watchdog_s is not None:
        beat_s = min(BEAT_S, systemd.watchdog_s / BEATS_PER_WATCHDOG)
    while not house.keeper.recovered.is_set():
        systemd.tell(STATUS=_recovering(house), EXTEND_TIMEOUT_USEC=str(EXTEND_BY_S * USEC_PER_S))
        with trio.move_on_after(BEAT_S):
            await house.keeper.recovered.wait()
    systemd.tell_status(status_line(house), READY="1")
    seen = -1
    while True:
        if house.keeper.ticks != seen:
            seen = house.keeper.ticks
            watchdog = {"WATCHDOG": "1"} if systemd.watchdog_s is not None else {}
            systemd.tell_status(status_line(house), **watchdog)
        await trio.sleep(beat_s)


def _recovering(house: House) -> str:
    """Why it is not ready yet."""
    holds = house.desk.book.state.holds
    venue = holds.get("venue")
    return f"waiting for the venue: {venue.reason}" if venue else "comparing with the venue"


def status_line(house: House) -> str:
    """Mode, state and its reasons, feeds and positions, as ``systemctl status`` shows them."""
    desk = house.desk
    armed = "" if desk.mode == "dry" else " armed" if desk.armed else " not armed"
    holds = "".join(f" ({name})" for name in sorted(desk.book.state.holds))
    feeds = list(house.intake.statuses)
    up = sum(feed.state in CONNECTED for feed in feeds)
    return (
        f"{desk.mode}{armed} {desk.state()}{holds}, feeds {up}/{len(feeds)}, "
        f"{len(desk.book.open_positions())} positions"
    )
