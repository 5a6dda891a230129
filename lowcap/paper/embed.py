"""Which venue a daemon trades at: the built-in exchange of dry mode, or one with addresses."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import trio
from msgspec import Struct

from lowcap.binance.sign import HmacSigner, Signer, read_signer
from lowcap.binance.venue import KNOWN_URLS, VenueUrls
from lowcap.core.clock import Clock
from lowcap.core.errors import LowcapError
from lowcap.core.venuefile import VenueFile
from lowcap.net.net import Net
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.prices import MarketLine
from lowcap.paper.server import PaperServer, load_state
from lowcap.paper.upstream import Upstream
from lowcap.settings import Settings


class Market(Struct, frozen=True):
    """A venue's addresses, the signer for it, and where its keys lie.

    ``built_in_secret`` belongs to a key of the built-in exchange, which lies nowhere.
    """

    urls: VenueUrls
    signer: Signer
    credentials_dir: str = ""
    built_in_secret: str = ""

    def __repr__(self) -> str:
        return f"Market({self.urls})"

    def told(self, settings: Settings, state_dir: Path) -> VenueFile:
        """What ``panic --direct`` must know to do without the daemon."""
        return VenueFile(
            mode=settings.mode,
            rest_url=self.urls.rest,
            state_dir=str(state_dir.absolute()),
            credentials_dir=os.path.abspath(self.credentials_dir) if self.credentials_dir else "",
            entry_recv_window_ms=settings.order.entry_recv_window_ms,
            api_key=self.signer.api_key if self.built_in_secret else "",
            api_secret=self.built_in_secret,
        )


def urls_at(port: int, host: str = "127.0.0.1") -> VenueUrls:
    """The addresses of a simulator that listens on ``port``."""
    return VenueUrls(
        f"http://{host}:{port}", f"ws://{host}:{port}/ws-fapi/v1", f"ws://{host}:{port}"
    )


async def open_market(
    settings: Settings,
    net: Net,
    clock: Clock,
    state_dir: Path,
    environ: Mapping[str, str],
    script: tuple[MarketLine, ...] = (),
    *,
    task_status: trio.TaskStatus[Market] = trio.TASK_STATUS_IGNORED,
) -> None:
    """``started`` with the venue to trade at; runs the built-in exchange where that is the one."""
    given = settings.exchange
    if given.rest_url or settings.mode != "dry":
        urls = KNOWN_URLS.get(settings.mode)
        if given.rest_url:
            # A simulator tells nothing of rights, and nobody else is asked about its key.
            here = urlsplit(given.rest_url).hostname in ("127.0.0.1", "::1", "localhost")
            account = urls.account if urls and not here else ""
            urls = VenueUrls(given.rest_url, given.ws_api_url, given.stream_url, account)
        if urls is None:
            raise LowcapError("no venue is configured", hint="set exchange.rest_url and the others")
        folder = given.credentials_dir or environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise LowcapError(
                "no credentials are configured",
                hint="set exchange.credentials_dir to a folder with api-key and api-secret",
                code="credentials",
            )
        signer = read_signer(Path(folder), guarded=not given.credentials_dir)
        task_status.started(Market(urls, signer, folder))
        return
    await _run_built_in(settings, net, clock, state_dir, script, task_status)


async def _run_built_in(
    settings: Settings,
    net: Net,
    clock: Clock,
    state_dir: Path,
    script: tuple[MarketLine, ...],
    task_status: trio.TaskStatus[Market],
) -> None:
    paper = settings.paper
    saved = state_dir / "paper.json"
    setup = ExchangeSetup(
        seed=paper.seed,
        wallet=paper.wallet_usdt,
        step_bps=float(paper.step_bps),
        script=script,
    )
    account = Account(api_key=secrets.token_hex(32), secret=secrets.token_hex(32))
    server = PaperServer(
        Exchange(setup, load_state(saved)),
        account,
        net,
        clock,
        tick_s=paper.tick_ms / 1000,
        save_to=saved,
        seed=paper.seed,
    )
    async with trio.open_nursery() as nursery:
        if paper.upstream_url:
            board, chance = server.exchange.board, random.Random(paper.seed)
            nursery.start_soon(Upstream(net, paper.upstream_url, board, clock, chance).run)
        port = await nursery.start(server.run, "127.0.0.1", paper.port)
        signer = HmacSigner(account.api_key, account.secret)
        task_status.started(Market(urls_at(port), signer, built_in_secret=account.secret))
