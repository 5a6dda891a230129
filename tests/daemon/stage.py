"""A stage for the whole daemon: memory network, virtual or real time, real rooms."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio
import trio.testing

from lowcap.config import load, shipped
from lowcap.control.peer import Peer
from lowcap.core.clock import Clock, LoopClock
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.stopword import STOP_FILE, StopWord
from lowcap.daemon import run_daemon
from lowcap.handlers import Commands, Parts
from lowcap.house import Surroundings
from lowcap.ledger.replay import replay
from lowcap.net.net import MemoryNet, Net
from lowcap.observe.logs import LogRing
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.feedserver import OVER_HTTP, FeedServer
from lowcap.paper.server import PaperServer
from lowcap.settings import ExchangeSettings, Settings, State

PAYROLL_MORNING_NS = 1_770_384_590 * 10**9  # 2026-02-06 13:29:50 UTC, 08:29:50 in New York
OPERATOR = Peer(1000, 1, "admin")
KEYS = ("stage-key", "stage-secret")


def settings_for(folder: Path, **changes: Any) -> Settings:
    """The shipped configuration with the state in ``folder``; capitalisations are off."""
    settings, _ = load(shipped("config.toml"), {})
    given: dict[str, Any] = {"state": State(dir=str(folder))}
    given["caps"] = attrs.evolve(settings.caps, enabled=False)
    return attrs.evolve(settings, **(given | changes))


def feed_url(name: str, port: int) -> str:
    """The address of a feed at a feed server of ours."""
    return f"{'http' if name in OVER_HTTP else 'ws'}://127.0.0.1:{port}/{name}"


class Stage:
    """An exchange and feed server of our own, and daemons that come and go beside them."""

    def __init__(
        self,
        net: Net,
        clock: Clock,
        folder: Path,
        settings: Settings,
        feed_keys: dict[str, str] | None = None,
    ) -> None:
        self.net = net
        self.clock = clock
        self.folder = folder
        self.stop_file = folder / STOP_FILE
        self.exchange = Exchange(ExchangeSetup(seed=7))
        self.server = PaperServer(
            self.exchange, Account(api_key=KEYS[0], secret=KEYS[1]), net, clock, tick_s=1.0
        )
        self._feed_keys = {"twitter": "stage-x"} | (feed_keys or {})
        self.feeds = FeedServer(net, clock, keys=self._feed_keys)
        self._settings = settings

    async def open(self, nursery: trio.Nursery) -> None:
        """Start exchange and feed server."""
        await nursery.start(self.server.run)
        await nursery.start(self.feeds.run)
        keys = self.folder / "keys"
        keys.mkdir(exist_ok=True)
        named = dict(zip(("api-key", "api-secret"), KEYS, strict=True))
        named |= {f"feed-{feed}": key for feed, key in self._feed_keys.items()}
        for name, text in named.items():
            (keys / name).write_text(text)
            (keys / name).chmod(0o600)

    def settings(self) -> Settings:
        """The settings with addresses of this stage."""
        port, feed_port = self.server.port, self.feeds.port
        return attrs.evolve(
            self._settings,
            exchange=ExchangeSettings(
                rest_url=f"http://127.0.0.1:{port}",
                ws_api_url=f"ws://127.0.0.1:{port}/ws-fapi/v1",
                stream_url=f"ws://127.0.0.1:{port}",
                credentials_dir=str(self.folder / "keys"),
            ),
            feed={
                name: attrs.evolve(feed, url=feed_url(name, feed_port))
                for name, feed in self._settings.feed.items()
            },
            caps=attrs.evolve(self._settings.caps, url=f"http://127.0.0.1:{feed_port}/coingecko"),
        )

    @asynccontextmanager
    async def daemon(
        self, *, ready: bool = True, settings: Settings | None = None
    ) -> AsyncIterator[Commands]:
        """A daemon from start to orderly end, with the stage's settings unless others are given."""
        stop = trio.Event()
        given = settings or self.settings()
        around = Surroundings(
            net=self.net,
            clock=self.clock,
            state_dir=self.folder / "state",
            environ={"CREDENTIALS_DIRECTORY": str(self.folder / "keys")},
            ring=LogRing(),
            config_hash="stage",
            stop_word=StopWord(self.stop_file),
            sync_in_thread=False,
            seed=3,
        )

        async def run(task_status: trio.TaskStatus[Commands]) -> None:
            await run_daemon(given, around, stop, task_status=task_status)

        async with trio.open_nursery() as nursery:
            commands: Commands = await nursery.start(run)
            if ready:
                await until(lambda: is_ready(commands))
            try:
                yield commands
            finally:
                stop.set()

    def qty(self, symbol: str) -> Decimal:
        """What the exchange says that we hold."""
        return self.exchange.book.position(symbol).qty

    # -- frames ---------------------------------------------------------------

    def now_ms(self) -> int:
        """The stage's wall time."""
        return self.clock.now_ns() // 1_000_000

    def upbit(self, *tickers: str, number: int = 1) -> bytes:
        """A listing notice of these coins, as of now."""
        names = ", ".join(f"코인{n}({ticker})" for n, ticker in enumerate(tickers))
        return _json(
            {
                "_id": f"u{number}",
                "title": f"[거래] {names} KRW, USDT 마켓 디지털 자산 추가",
                "source": "Upbit",
                "url": f"https://upbit.com/service_center/notice?id={number}",
                "time": self.now_ms() - 40,
            }
        )

    def elon(self, text: str = "Bitcoin again", number: int = 1) -> bytes:
        """A post of the account that elon_btc listens to."""
        return _json(
            {
                "_id": str(2019770000000000000 + number),
                "title": "Elon Musk (@elonmusk)",
                "body": text,
                "link": f"https://x.com/elonmusk/status/{2019770000000000000 + number}",
                "info": {"twitterId": "44196397", "isReply": False, "isRetweet": False},
                "time": self.now_ms() - 30,
                "type": "direct",
            }
        )

    def payrolls(self, jobs: object = "37K") -> bytes:
        """A payroll print of now."""
        from lowcap.core.clock import iso_ms

        return _json(
            {
                "event": "stream.post.created",
                "data": {
                    "id": "01KGSJSTAGE000000000000001",
                    "streamId": "01HV7K3M9QZ4X8N2B6C5D1E0FG",
                    "text": f"Nonfarm Payrolls: {jobs}",
                    "createdAt": iso_ms(self.now_ms() - 20),
                    "json": {"numbers": [{"name": "Nonfarm Payrolls", "actual": jobs}]},
                },
            }
        )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def parts_of(commands: Commands) -> Parts:
    """The rooms behind the commands."""
    assert commands.parts is not None
    return commands.parts


def is_ready(commands: Commands) -> bool:
    """Recovered, leverage set, every stream up, prices known: it would trade."""
    parts = parts_of(commands)
    return (
        parts.keeper.recovered.is_set()
        and len(parts.venue.leverage) == len(parts.venue.contracts) > 0
        and bool(parts.desk.quotes)
        and parts.venue.socket.is_up
        and all(feed.status.state in ("up", "off") for feed in parts.feeds)
        and not parts.desk.book.state.holds
    )


async def until(condition: Callable[[], bool], within_s: float = 60) -> None:
    """Wait for a condition; the test fails when it does not come."""
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.01)


async def ask(commands: Commands, method: str, **params: Any) -> Any:
    """Call a command as the operator; it has a minute to answer."""
    with trio.fail_after(60):
        return await commands.handlers[method](params, OPERATOR)


def protected(stage: Stage, symbol: str) -> bool:
    """A close-position stop and a full ladder rest at the exchange."""
    stops = [a for a in stage.exchange.algos.open_algos(symbol) if a.close_position]
    legs = [o for o in stage.exchange.book.open_orders(symbol) if o.reduce_only]
    claimed = sum((o.remaining for o in legs), Decimal(0))
    return len(stops) == 1 and claimed == abs(stage.qty(symbol)) > 0


def records(folder: Path) -> list[Record]:
    """Everything in the ledger."""
    found: list[Record] = []
    replay(folder / "state" / "ledger", found.append)
    return found


def entries(folder: Path) -> list[Any]:
    """The entry intents in the ledger."""
    return [
        r.body
        for r in records(folder)
        if r.kind == "OrderIntended" and getattr(r.body, "purpose", None) is Purpose.ENTRY
    ]


def in_virtual_time(
    main: Callable[[Stage], Awaitable[None]],
    folder: Path,
    settings: Settings | None = None,
    *,
    epoch_ns: int = PAYROLL_MORNING_NS,
    seed: int = 0,
    feed_keys: dict[str, str] | None = None,
) -> None:
    """Run ``main`` with a stage under a clock that jumps ahead whenever all wait."""
    from trio._core import _run

    _run._r.seed(seed)  # the order in which ready tasks run, the one choice Trio makes by chance

    async def run() -> None:
        clock = LoopClock(epoch_ns)
        clock.now_ns()
        stage = Stage(
            MemoryNet(), clock, folder, settings or settings_for(folder / "state"), feed_keys
        )
        async with trio.open_nursery() as nursery:
            await stage.open(nursery)
            await main(stage)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
