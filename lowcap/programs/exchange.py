"""``lowcapd exchange``: the exchange simulator as a process of its own."""

from __future__ import annotations

import os
import random
import secrets
import signal
from decimal import Decimal
from pathlib import Path

import click
import trio
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Struct

from lowcap.config_check import stream_base_faults
from lowcap.core.clock import Clock, SystemClock
from lowcap.core.errors import ConfigError
from lowcap.net.net import SocketNet
from lowcap.paper.auth import Account
from lowcap.paper.embed import urls_at
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.faultfile import read_faults
from lowcap.paper.faults import Faults
from lowcap.paper.feedserver import market_lines, read_capture
from lowcap.paper.prices import Upsets
from lowcap.paper.server import PaperServer, load_state
from lowcap.paper.upstream import Upstream
from lowcap.paper.usage import Limits
from lowcap.programs.run import shift_of


class ExchangeOptions(Struct, frozen=True, kw_only=True):
    """The command line of ``lowcapd exchange``."""

    host: str
    port: int
    seed: int
    wallet: Decimal
    step_bps: float
    tick_s: float
    credentials: Path
    state: Path | None
    market: tuple[Path, ...]
    as_of: str | None
    upstream: str = ""
    faults: Path | None = None
    limits_times: int = 1
    upsets: Upsets | None = None


def exchange_program(options: ExchangeOptions) -> int:
    """Serve until a signal; prints its addresses once it listens.

    Raises:
        ConfigError: with every fault of the command line and the fault script.
    """
    script = _checked(options)
    clock = SystemClock(shift_of(options.as_of))
    setup = ExchangeSetup(
        seed=options.seed,
        wallet=options.wallet,
        step_bps=options.step_bps,
        script=market_lines(read_capture(options.market)),
        upsets=options.upsets,
        limits=Limits().times(options.limits_times),
    )
    saved = load_state(options.state) if options.state is not None else None
    exchange = Exchange(setup, saved)
    exchange.replace_faults(script)
    server = PaperServer(
        exchange,
        account_in(options.credentials),
        SocketNet(),
        clock,
        tick_s=options.tick_s,
        save_to=options.state,
        seed=options.seed,
    )
    trio.run(_serve, server, options, clock)
    return 0


def _checked(options: ExchangeOptions) -> Faults:
    """The fault script, with all that is wrong on the command line said at once."""
    found = stream_base_faults("--upstream", options.upstream)
    if options.upstream and options.market:
        found.append("--market: --upstream gives the prices already; take one away")
    script, hint = Faults(), ""
    try:
        script = read_faults(options.faults) if options.faults is not None else script
    except ConfigError as error:
        found += [f"--faults: {fault}" for fault in error.faults]
        hint = error.hint
    if found:
        raise ConfigError(found, hint=hint)
    return script


async def _serve(server: PaperServer, options: ExchangeOptions, clock: Clock) -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.run, options.host, options.port)
        if options.upstream:
            chance = random.Random(options.seed)
            board = server.exchange.board
            upstream = Upstream(SocketNet(), options.upstream, board, clock, chance)
            nursery.start_soon(upstream.run)
        urls = urls_at(port, options.host)
        click.echo(f"rest_url = {urls.rest!r}\nws_api_url = {urls.ws_api!r}")
        click.echo(f"stream_url = {urls.streams!r}\ncredentials_dir = {str(options.credentials)!r}")
        await wait_for_stop()
        nursery.cancel_scope.cancel(reason="stop")


async def wait_for_stop() -> None:
    """Until SIGTERM or SIGINT."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as arriving:
        async for _ in arriving:
            return


def account_in(folder: Path) -> Account:
    """The account whose key lies in ``folder``; a random one is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = folder / "private-key.pem"
    for name in ("api-key", "api-secret"):
        path = folder / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
    return Account(
        api_key=(folder / "api-key").read_text().strip(),
        secret=(folder / "api-secret").read_text().strip(),
        public_key_pem=public_half(pem.read_bytes()) if pem.exists() else "",
    )


def public_half(pem: bytes) -> str:
    """The public key of a private one, both in PEM."""
    key = load_pem_private_key(pem, password=None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
