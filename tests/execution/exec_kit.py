"""Desk and keeper over a simulated venue on a memory network, under virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from lowcap.binance.sign import HmacSigner
from lowcap.binance.streams import PriceStream, UserStream
from lowcap.binance.venue import Venue
from lowcap.core import facts
from lowcap.core.clock import LoopClock
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import OrderPlan, Purpose, Signal, Target
from lowcap.core.money import Side
from lowcap.core.order import RESTING, Order
from lowcap.execution.desk import Desk
from lowcap.execution.keeper import Keeper
from lowcap.ledger.replay import replay
from lowcap.ledger.writer import Ledger
from lowcap.net.http import HttpxPort
from lowcap.net.net import MemoryNet
from lowcap.observe.accounts import Accounts
from lowcap.paper.auth import Account
from lowcap.paper.embed import urls_at
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.faults import Faults
from lowcap.paper.server import PaperServer
from lowcap.risk.book import Book
from lowcap.settings import Settings
from tests import vectors as v
from tests.risk.risk_kit import XRP, D
from tests.risk.risk_kit import settings as make_settings

SETTINGS = make_settings(
    order_notional_usd_max=D(100_000),
    position_notional_usd_max=D(200_000),
    gross_notional_usd_max=D(400_000),
    open_positions_max=10,
    day_loss_usd_max=D(50_000),
)
ACCOUNT = Account(api_key=v.API_KEY, secret=v.SECRET)


class Room:
    """A venue, the desk in front of it, and what was asked of the venue."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.net = MemoryNet()
        self.clock = LoopClock(v.AT_MS * 1_000_000)
        self.exchange = Exchange(ExchangeSetup(step_bps=0.0))
        self.server = PaperServer(self.exchange, ACCOUNT, self.net, self.clock, tick_s=0.5)
        self.asked: Counter[str] = Counter()
        self.server.on_request = lambda method: self.asked.update([method])
        self.folder = folder
        self.settings = settings
        self.records: list[Record] = []

    async def open_daemon(self, nursery: trio.Nursery) -> None:
        """What house and daemon build, without feeds and control."""
        self.book = Book()
        found = replay(self.folder, self.book.apply)
        self.ledger = Ledger(self.folder, self.clock, found)
        self.ledger.read_with(self.records.append)
        http, urgent = HttpxPort(self.net), HttpxPort(self.net)
        chance, urls = random.Random(1), urls_at(self.server.port)
        signer = HmacSigner(v.API_KEY, v.SECRET)
        self.venue = Venue(self.net, http, urgent, urls, signer, self.clock, chance)
        self.desk = Desk(self.ledger, self.book, self.settings, self.clock, self.venue)
        self.keeper = Keeper(self.desk, self.venue)
        self.accounts = self.keeper.income.books = Accounts()
        self.ledger.read_with(self.accounts.read)
        self.venue.on_socket = lambda up, why: self.desk.set_health("order-socket", up, why)
        user = UserStream(
            *(self.net, urls.streams, self.venue.rest),
            self.desk.on_user_event, self.keeper.on_user_stream, chance,
        )  # fmt: skip
        self.user = user
        self.keeper.renew_user_stream = user.renew
        prices = PriceStream(
            *(self.net, urls.streams, self.desk.prices.on_marks, self.desk.prices.on_lasts),
            lambda up, why: None, chance,
        )  # fmt: skip
        for service in (self.venue.socket.run, user.run, prices.run):
            nursery.start_soon(service)
        self.keeper.open(nursery, crashed=found.last_run > 0)

    async def ready(self) -> None:
        """Until the desk may trade."""
        await self.until(
            lambda: (
                self.keeper.recovered.is_set()
                and self.venue.socket.is_up
                and XRP in self.desk.quotes
                and XRP in self.venue.leverage
                and not self.book.state.holds
            )
        )

    async def until(self, done: Callable[[], bool], within_s: float = 60) -> None:
        with trio.fail_after(within_s):
            while not done():
                await trio.sleep(0.01)

    def faults(self, **faults: Any) -> None:
        self.exchange.replace_faults(Faults(**faults))

    def enter(self, symbol: str = XRP, side: Side = Side.BUY, usd: str = "10000") -> Order:
        """Gate and send an entry; the gate must agree."""
        answer = self.try_entering(symbol, side, usd)
        assert isinstance(answer, OrderPlan), answer
        return self.book.orders[self.desk.submit(answer, 0, {})]

    def try_entering(self, symbol: str = XRP, side: Side = Side.BUY, usd: str = "10000") -> Any:
        target = Target(symbol=symbol, key=symbol, notional_usd=D(usd))
        signal = Signal(
            trigger="test", feed="test", side=side, targets=(target,), matched=(), tier="macro",
            age_ms=1, age_ms_max=1_000, cooldown_s=600,
        )  # fmt: skip
        return self.desk.enter(signal, target, self.desk.wishes([target])[0], 0)

    def held(self, symbol: str = XRP) -> Decimal:
        """What the venue says that we hold."""
        return self.exchange.book.position(symbol).qty

    def stops(self, symbol: str = XRP) -> int:
        """How many stops rest at the venue."""
        return len(self.exchange.algos.open_algos(symbol))

    def legs(self, symbol: str = XRP) -> Decimal:
        """What the take-profit legs at the venue add up to."""
        return sum((o.remaining for o in self.exchange.book.open_orders(symbol)), D(0))

    def resting(self, purpose: Purpose, symbol: str = XRP) -> list[Order]:
        found = self.book.orders_of(symbol)
        return [o for o in found if o.purpose is purpose and o.status in RESTING]

    def is_over(self, symbol: str = XRP) -> bool:
        """Whether the book has closed the books on a position."""
        position = self.book.position(symbol)
        return position.qty == position.own_qty == position.opened_seq == 0

    def told(self, kind: type[Fact]) -> list[Any]:
        """Facts of one kind in the ledger so far."""
        self.ledger.publish_pending()
        return [r.body for r in self.records if isinstance(r.body, kind)]

    def alarms(self) -> list[str]:
        return [fact.code for fact in self.told(facts.AlarmRaised)]

    async def protected(self, symbol: str = XRP) -> None:
        """Until the venue shows a stop, and legs for the whole position."""
        await self.until(
            lambda: self.stops(symbol) == 1 and self.legs(symbol) == abs(self.held(symbol))
        )


@asynccontextmanager
async def trading(folder: Path, **changes: Any) -> AsyncIterator[Room]:
    """A desk that may trade, for the length of the block."""
    room = Room(folder, attrs.evolve(SETTINGS, **changes))
    async with trio.open_nursery() as nursery:
        await nursery.start(room.server.run)
        async with trio.open_nursery() as daemon:
            await room.open_daemon(daemon)
            await room.ready()
            room.asked.clear()
            yield room
            daemon.cancel_scope.cancel()
        room.ledger.close()
        nursery.cancel_scope.cancel()
