"""A daemon killed again and again around its orders must come back knowing what it did.

    python -m tests.long.kill [COUNT]

Each round sends a frame that trades, kills the daemon with SIGKILL 0 to 300 ms
later, prints its last ledger record, starts it again and compares everything
with the exchange, which is a process of its own and answers late on purpose.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import trio

from lowcap.binance.rest import RestClient
from lowcap.binance.sign import read_signer
from lowcap.core.account import Snapshot
from lowcap.core.clock import SystemClock
from lowcap.core.facts import OrderIntended, OrderUpdated, Record
from lowcap.core.messages import Purpose
from lowcap.net.http import HttpxPort
from lowcap.net.net import SocketNet
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.feedserver import FeedServer
from tests.long.rig import (
    GUARDS_OFF,
    Process,
    call,
    ledger_records,
    running,
    wait_ready,
    write_config,
)

KILL_WITHIN_MS = 300
FAULTS: dict[str, object] = {
    "request_delay_ms": {"order.place": [0, 120]},
    "reply_delay_ms": {"order.place": [20, 200], "algoOrder.place": [0, 120]},
}
LIMITS = {
    "open_positions_max": 200,
    "gross_notional_usd_max": 5_000_000,
    "day_loss_usd_max": 1_000_000,
    **GUARDS_OFF,
}
SETTLED_WITHIN_S = 25


class Round:
    """The rounds' common ground."""

    def __init__(self, folder: Path, urls: dict[str, str], feed_port: int) -> None:
        self.folder = folder
        self.config = write_config(
            folder,
            {
                "exchange": urls,
                "feed": {
                    "tokyo": {"url": f"ws://127.0.0.1:{feed_port}/tokyo"},
                    "toa_news": {"url": f"ws://127.0.0.1:{feed_port}/toa_news"},
                    "synoptic": {"url": f"ws://127.0.0.1:{feed_port}/synoptic"},
                },
                "limits": LIMITS,
            },
        )
        self._rest_url = urls["rest_url"]
        self.http = HttpxPort(SocketNet())
        self.rest = RestClient(
            self.http,
            urls["rest_url"],
            read_signer(Path(urls["credentials_dir"])),
            lambda: int(time.time() * 1000),
            urgent=True,  # it never waits for the limits
        )

    async def set_faults(self, faults: dict[str, object]) -> None:
        """Put a fault script in force."""
        await self.http.request(
            "POST",
            self._rest_url + "/sim/faults",
            headers={},
            content=json.dumps(faults).encode(),
            timeout_s=5,
        )

    async def snapshot(self) -> Snapshot:
        """The exchange's own word."""
        from lowcap.binance.venue import read_snapshot

        return await read_snapshot(self.rest, int(time.time() * 1000))


def listing(ticker: str, number: int) -> bytes:
    """A notice that trades one coin."""
    return json.dumps(
        {
            "_id": f"k{number}",
            "title": f"[거래] 코인({ticker}) KRW, USDT 마켓 디지털 자산 추가",
            "source": "Upbit",
            "url": f"https://upbit.com/service_center/notice?id={number}",
            "time": int(time.time() * 1000),
        },
        ensure_ascii=False,
    ).encode()


async def play(count: int, seed: int = 1) -> int:
    """Run ``count`` rounds; returns how many deaths lay between intent and reply."""
    chance = random.Random(seed)
    coins = [s.removesuffix("USDT") for s in listed_contracts() if not s.startswith("1")]
    chance.shuffle(coins)
    in_flight = 0
    with tempfile.TemporaryDirectory(prefix="lowcap-kill-") as name:
        folder = Path(name)
        # So many starts in a minute would use up what the venue allows.
        words = ("exchange", "--credentials", str(folder / "keys"), "--step-bps", "0.5")
        words += ("--limits-times", "100")
        with running(folder, "exchange", *words) as exchange:
            urls = exchange.lines(4)
            async with trio.open_nursery() as nursery:
                feeds = FeedServer(SocketNet(), SystemClock())
                port = await nursery.start(feeds.run)
                ground = Round(folder, urls, port)
                await ground.set_faults(FAULTS)
                for number in range(count):
                    in_flight += await one_round(ground, feeds, coins[number], number, chance)
                await ground.http.aclose()
                nursery.cancel_scope.cancel()
    return in_flight


async def one_round(
    ground: Round, feeds: FeedServer, coin: str, number: int, chance: random.Random
) -> bool:
    """Trade, kill, look, restart, compare; whether an entry was in flight at the death."""
    daemon = Process(ground.folder, "daemon", "run", "--config", str(ground.config))
    try:
        await trio.to_thread.run_sync(wait_ready, ground.folder)
        with trio.fail_after(10):
            while feeds.clients("tokyo") == 0:
                await trio.sleep(0.01)
        feeds.send("tokyo", listing(coin, number))
        wait_ms = chance.uniform(0, KILL_WITHIN_MS)
        await trio.sleep(wait_ms / 1000)
    finally:
        daemon.kill()
    in_flight = tell_death(ground.folder, f"{coin}USDT", number, wait_ms)
    daemon = Process(ground.folder, "daemon", "run", "--config", str(ground.config))
    try:
        await trio.to_thread.run_sync(wait_ready, ground.folder)
        await compare(ground, f"{coin}USDT")
    finally:
        code = daemon.stop()
    assert code == 0, f"the daemon left with {code}"
    return in_flight


def tell_death(folder: Path, symbol: str, number: int, wait_ms: float) -> bool:
    """Print the last record; True where an entry had an intent and no reply yet."""
    records = ledger_records(folder)
    last = records[-1]
    entries = [
        r.body.client_id
        for r in records
        if isinstance(r.body, OrderIntended)
        and r.body.symbol == symbol
        and r.body.purpose is Purpose.ENTRY
    ]
    replied = {
        r.body.client_id
        for r in records
        if isinstance(r.body, OrderUpdated) and r.body.source == "reply"
    }
    in_flight = any(name not in replied for name in entries)
    mark = "between intent and reply" if in_flight else "" if entries else "before any intent"
    print(
        f"{number + 1:>3} {symbol:<13} killed after {wait_ms:5.0f} ms, last record "
        f"{last.seq} {tell_record(last)} {mark}",
        flush=True,
    )
    return in_flight


def tell_record(record: Record) -> str:
    """Its kind, and what it speaks of."""
    about = getattr(record.body, "client_id", "") or getattr(record.body, "name", "")
    return f"{record.kind} {about}".rstrip()


async def compare(ground: Round, symbol: str) -> None:
    """Daemon and exchange must agree on everything, soon after the restart."""
    give_up_s = time.monotonic() + SETTLED_WITHIN_S
    fault = "not compared"
    while time.monotonic() < give_up_s:
        seen = await ground.snapshot()
        believed = await trio.to_thread.run_sync(call, ground.folder, "positions")
        fault = differences(seen, believed, ledger_records(ground.folder), symbol)
        if not fault:
            return
        await trio.sleep(0.2)
    raise AssertionError(fault)


def differences(
    seen: Snapshot, believed: list[dict[str, str]], records: list[Record], symbol: str
) -> str:
    """The first thing that is not as it must be, or nothing."""
    held = {p.symbol: abs(p.qty) for p in seen.positions}
    ours = {row["symbol"]: Decimal(row["qty"]) for row in believed}
    if held != ours:
        return f"positions: exchange {held}, daemon {ours}"
    for name, qty in held.items():
        stops = [o for o in seen.orders if o.symbol == name and o.algo]
        legs = [o for o in seen.orders if o.symbol == name and not o.algo]
        if len(stops) != 1:
            return f"{name}: {len(stops)} stops"
        if sum((o.qty for o in legs), Decimal(0)) != qty:
            return f"{name}: legs {[str(o.qty) for o in legs]} do not add up to {qty}"
    flat = [o for o in seen.orders if o.symbol not in held]
    if flat:
        return f"orders without a position: {[o.client_id for o in flat]}"
    sent = [
        r.body
        for r in records
        if isinstance(r.body, OrderIntended)
        and r.body.symbol == symbol
        and r.body.purpose is Purpose.ENTRY
    ]
    if len(sent) > 1:
        return f"{symbol}: {len(sent)} entries"
    if symbol in held and sent and held[symbol] != sent[0].qty:
        return f"{symbol}: holds {held[symbol]}, one entry was {sent[0].qty}"
    return ""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    started_s = time.monotonic()
    in_flight = trio.run(play, count)
    took_s = time.monotonic() - started_s
    print(
        f"{count} kills in {took_s:.0f} s: {in_flight} between intent and reply; every position, "
        "stop and ladder agreed with the exchange, no entry was sent twice"
    )
    if count >= 50 and in_flight < 10:
        sys.exit("fewer than 10 deaths lay between intent and reply")


if __name__ == "__main__":
    main()
