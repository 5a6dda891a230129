"""A market-data server in memory, and a session that asks it under virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import trio
import trio.testing

from lowcap.core.caps import CapTable
from lowcap.core.clock import LoopClock
from lowcap.feeds.caps import CapSession, CapStatus
from lowcap.net.http import HttpReply, HttpxPort
from lowcap.net.net import MemoryNet
from lowcap.net.serve import HttpRequest, serve_stream
from lowcap.settings import Caps

D = Decimal
H_S = 3_600
MockClock = trio.testing.MockClock
EPOCH_MS = 1_770_384_590_000
PORT = 40_000
URL = f"http://127.0.0.1:{PORT}/api/v3"


def row(name: str, symbol: str, cap: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "symbol": symbol, "name": name.title(), "market_cap": cap, **more}


def reply(content: Any, status: int = 200, **headers: str) -> HttpReply:
    """An answer; bytes go out as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return HttpReply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


class Server:
    """Serves ``pages``; ``answer_with`` goes first, by page number where it is a mapping."""

    def __init__(self) -> None:
        self.pages: dict[int, list[dict[str, Any]]] = {
            1: [row("bitcoin", "btc", 2_000_000_000_000), row("ethereum", "eth", 300_000_000_000)],
            2: [row("aave", "aave", 3_000_000_000)],
            3: [row("pepe", "pepe", 900_000_000)],
        }
        self.faults: list[HttpReply | None] = []
        self.faults_of: dict[int, HttpReply] = {}
        self.asked: list[tuple[float, int]] = []
        self.requests: list[HttpRequest] = []
        self.began_s = trio.current_time()

    async def handle(self, stream: trio.abc.Stream) -> None:
        await serve_stream(stream, self._answer, trio.aclose_forcefully)

    async def _answer(self, request: HttpRequest) -> HttpReply | None:
        query = parse_qs(request.query)
        number = int(query["page"][0])
        self.asked.append((round(trio.current_time() - self.began_s, 2), number))
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)
        if number in self.faults_of:
            return self.faults_of[number]
        return reply(self.pages.get(number, []))

    def times(self, number: int) -> list[float]:
        return [at_s for at_s, page in self.asked if page == number]


class Stage:
    """A server, a session and what the session told."""

    def __init__(self, server: Server, tickers: Collection[str]) -> None:
        self.server = server
        self.tickers = tickers
        self.tables: list[CapTable] = []
        self.states: list[tuple[float, str]] = []
        self.session: CapSession

    @property
    def status(self) -> CapStatus:
        return self.session.status

    @property
    def usd(self) -> dict[str, Decimal]:
        return self.session.table.usd

    def on_status(self, status: CapStatus) -> None:
        self.states.append((round(trio.current_time() - self.server.began_s), status.state))


Act = Callable[[Stage], Awaitable[None]]


def caps(**changes: Any) -> Caps:
    given: dict[str, Any] = {"url": URL, "pages": 3, "interval_s": 300, "rest_h": 6}
    return Caps(**given | changes)


async def play(
    cache: Path,
    act: Act,
    *,
    settings: Caps | None = None,
    environ: Mapping[str, str] | None = None,
    tickers: Collection[str] = ("BTC", "ETH", "AAVE", "PEPE"),
    curated: Mapping[str, str] | None = None,
    server: Server | None = None,
    at_ms: int = EPOCH_MS,
    serve: bool = True,
    stage_kind: type[Stage] = Stage,
) -> Stage:
    """Run a session whose clock starts at ``at_ms`` until ``act`` is through."""
    net, server = MemoryNet(), server or Server()
    server.began_s = trio.current_time()
    stage = stage_kind(server, tickers)
    clock = LoopClock(at_ms * 1_000_000)
    http = HttpxPort(net)
    async with trio.open_nursery() as nursery:
        if serve:
            await nursery.start(net.serve, server.handle, "127.0.0.1", PORT)
        stage.session = CapSession(
            settings or caps(),
            *(http, clock, environ or {}, cache),
            tickers=lambda: stage.tickers,
            curated=curated or {},
            on_table=stage.tables.append,
            on_status=stage.on_status,
        )
        nursery.start_soon(stage.session.run)
        await act(stage)
        nursery.cancel_scope.cancel()
    await http.aclose()
    return stage


async def rest(seconds: float) -> None:
    """Let virtual time pass, and end between two seconds."""
    await trio.sleep(seconds + 0.5)


async def wait(stage: Stage, *, seconds: float) -> None:
    """Only wait."""
    await rest(seconds)
