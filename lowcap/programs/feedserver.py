"""``lowcapd feedserver``: captures as live feeds on loopback."""

from __future__ import annotations

from pathlib import Path

import click
import trio

from lowcap.core.clock import SystemClock
from lowcap.net.net import SocketNet
from lowcap.paper.feedserver import CaptureLine, FeedServer, read_capture
from lowcap.programs.exchange import wait_for_stop
from lowcap.programs.run import shift_of


def feedserver_program(
    captures: tuple[Path, ...], host: str, port: int, speed: float | None, as_of: str | None
) -> int:
    """Serve until a signal; prints its address, then each frame that it sends and each fault."""
    lines = read_capture(captures)
    server = FeedServer(SocketNet(), SystemClock(shift_of(as_of)))
    trio.run(_serve, server, lines, host, port, speed)
    return 0


async def _serve(
    server: FeedServer, lines: list[CaptureLine], host: str, port: int, speed: float | None
) -> None:
    def sent(line: CaptureLine, concerned: int) -> None:
        what = f"fault {line.fault}" if line.fault else f"{len(line.wire_frame())} bytes"
        click.echo(f"{line.t_ms} {line.feed}: {what} to {concerned}")

    async with trio.open_nursery() as nursery:
        bound = await nursery.start(server.run, host, port)
        click.echo(f"url = 'ws://{host}:{bound}/FEED'")

        async def play() -> None:
            await server.play(lines, speed=speed, on_sent=sent)
            click.echo("played")

        nursery.start_soon(play)
        await wait_for_stop()
        nursery.cancel_scope.cancel(reason="stop")
