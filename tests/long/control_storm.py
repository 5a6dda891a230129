"""Everything that can be done to a control socket, while somebody on it stops trading.

    python -m tests.long.control_storm [HALTS]

A process of its own opens 1,000 connections in waves: some write a byte now
and then, some send lines of 10 MB, some binary junk, some follow and never
read, the rest send 20,000 mangled requests. A session that was open before
asks ``halt`` again and again, resumes in between, and news goes on trading.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trio

from lowcap.control.commands import COMMANDS
from lowcap.core.clock import SystemClock
from lowcap.net.net import SocketNet
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.feedserver import FeedServer
from tests.long.kill import listing
from tests.long.rig import GUARDS_OFF, Process, running, wait_ready, write_config

CONNECTIONS, REQUESTS, HALTS = 1_000, 20_000, 100
AT_ONCE = 40
LONG_LINE_BYTES = 10_000_000
GROWTH_KIB_MAX = 65_536
MEDIAN_MS_MAX, WORST_MS_MAX = 20.0, 250.0
TRADE_EVERY = 20
TRADED_WITHIN_S = 10.0
LIMITS = {
    "open_positions_max": 200,
    "gross_notional_usd_max": 5_000_000,
    "day_loss_usd_max": 1_000_000,
    **GUARDS_OFF,
}
LOOKING = [command.name for command in COMMANDS if command.role == "view" and not command.local]
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**400, 1e308, "", "x" * 5_000, "\x1b[2J\x07", "BTCUSDT", "-", "nan"),
    *([], [[]], {}, {"a": {"b": []}}, "\u202e", "\ud83d\ude00", "9" * 400),
)


class Storm:
    """The attackers: a wave of connections, each with a manner of its own."""

    def __init__(self, path: Path, connections: int, requests: int, seed: int) -> None:
        self._path = path
        self._chance = random.Random(seed)
        self._connections = connections
        # Six in ten send requests, and some of those are let go before they have sent theirs.
        self._per_client = -(-requests * 5 // (connections * 2))
        self.sent = {"connections": 0, "requests": 0, "bytes": 0}

    async def run(self) -> None:
        """All connections, so many at a time."""
        places = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for number in range(self._connections):
                await places.acquire_on_behalf_of(number)
                nursery.start_soon(self._one, number, places)

    async def _one(self, number: int, places: trio.CapacityLimiter) -> None:
        manners = (*(self._mangled,) * 6, self._slow, self._long_line, self._junk, self._deaf)
        manner = manners[number % len(manners)]
        try:
            with trio.move_on_after(20):
                async with await trio.open_unix_socket(self._path) as stream:
                    self.sent["connections"] += 1
                    await manner(stream)
        except (OSError, trio.BrokenResourceError):
            pass  # it was let go, which is its right
        finally:
            places.release_on_behalf_of(number)

    async def _send(self, stream: trio.SocketStream, data: bytes) -> None:
        await stream.send_all(data)
        self.sent["bytes"] += len(data)

    async def _slow(self, stream: trio.SocketStream) -> None:
        for byte in b'{"jsonrpc":"2.0","id":1,"method":"status"}':
            await self._send(stream, bytes([byte]))
            await trio.sleep(0.05)

    async def _long_line(self, stream: trio.SocketStream) -> None:
        for _ in range(LONG_LINE_BYTES // 65_536):
            await self._send(stream, b"x" * 65_536)
        await self._send(stream, b"\n")
        await stream.receive_some(4_096)

    async def _junk(self, stream: trio.SocketStream) -> None:
        for _ in range(20):
            await self._send(stream, self._chance.randbytes(5_000))
        await stream.receive_some(4_096)

    async def _deaf(self, stream: trio.SocketStream) -> None:
        await self._send(stream, _line(1, "events", {"follow": True, "count": 1_000}))
        await self._send(stream, _line(2, "logs", {"follow": True, "count": 1_000}))
        await trio.sleep(5)

    async def _mangled(self, stream: trio.SocketStream) -> None:
        for number in range(self._per_client):
            await self._send(stream, self.request(number))
            self.sent["requests"] += 1
        with trio.move_on_after(1):
            while await stream.receive_some(65_536):
                pass

    def request(self, number: int) -> bytes:
        """A request that nobody should send. It never is one that stops or trades."""
        chance = self._chance
        command = chance.choice([c for c in COMMANDS if c.name in LOOKING])
        names = [a.name for a in command.arguments] + [o.name for o in command.options]
        params = {name: chance.choice(ODD) for name in (*names, "since", "nonsense")}
        if command.arguments and command.arguments[0].choices:
            params["action"] = chance.choice(("show", "list", "test", *ODD))
        if command.name in ("events", "logs", "feed"):
            params.pop("follow", None)
        line = _line(chance.choice((number, *ODD)), command.name, params)
        if chance.random() < 0.3:
            at = chance.randrange(len(line))
            line = line[:at] + chance.randbytes(3) + line[at + chance.randrange(4) :]
        return line if chance.random() < 0.95 else line * 30


def _line(number: object, method: str, params: object) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


class Operator:
    """The session that was there before."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._rest = b""
        self._number = 0
        self.halts_ms: list[float] = []

    async def ask(self, method: str, **params: object) -> Any:
        """One request and its reply."""
        self._number += 1
        await self._stream.send_all(_line(self._number, method, params))
        while True:
            while b"\n" not in self._rest:
                data = await self._stream.receive_some(65_536)
                assert data, f"the daemon hung up on {method}: {self._rest[:200]!r}"
                self._rest += bytes(data)
            line, _, self._rest = self._rest.partition(b"\n")
            reply = json.loads(line)
            if reply.get("id") == self._number:
                assert "result" in reply, reply
                return reply["result"]

    async def halt(self) -> None:
        """Stop trading, by the clock."""
        started_s = time.perf_counter()
        halted = await self.ask("halt")
        self.halts_ms.append((time.perf_counter() - started_s) * 1000)
        assert halted["state"] == "HALTED", halted


class Judge:
    """The daemon under attack, and the operator's hundred halts."""

    def __init__(self, folder: Path, feeds: FeedServer, halts: int) -> None:
        self._folder = folder
        self._feeds = feeds
        self._halts = halts
        self.coins = [s.removesuffix("USDT") for s in listed_contracts() if s[0] not in "1"][10:]
        self.trades = 0

    async def run(self, daemon: Process, storm: Process | None) -> list[float]:
        """Halt and resume; returns how long each halt took, in milliseconds."""
        stream = await trio.open_unix_socket(self._folder / "c.sock")
        async with stream:
            operator = Operator(stream)
            await operator.ask("status")
            for number in range(self._halts):
                await operator.halt()
                await trio.sleep(0.05)
                await operator.ask("resume", reason="the storm goes on")
                if number % TRADE_EVERY == 0:
                    await self._trade(operator, number)
            while storm is not None and storm.is_running:
                await operator.halt()
                await operator.ask("resume", reason="the storm goes on")
                await trio.sleep(1)
            await self._trade(operator, self._halts)
        assert daemon.is_running
        return operator.halts_ms

    async def _trade(self, operator: Operator, number: int) -> None:
        coin = self.coins[number % len(self.coins)]
        self._feeds.send("tokyo", listing(coin, 1_000 + number))
        give_up_s = trio.current_time() + TRADED_WITHIN_S
        while trio.current_time() < give_up_s:
            rows = await operator.ask("positions")
            held = next((row for row in rows if row["symbol"] == f"{coin}USDT"), None)
            if held is not None and held["stop_price"]:
                self.trades += 1
                return
            await trio.sleep(0.5)
        raise AssertionError(f"{coin}: {json.dumps(await operator.ask('explain'))[:2_000]}")


async def play(connections: int, requests: int, halts: int) -> str:
    """The whole rig; returns what was found, in a few lines."""
    with tempfile.TemporaryDirectory(prefix="lowcap-storm-") as name:
        folder = Path(name)
        words = ("exchange", "--credentials", str(folder / "keys"), "--limits-times", "100")
        with running(folder, "exchange", *words) as exchange:
            urls = exchange.lines(4)
            async with trio.open_nursery() as nursery:
                feeds = FeedServer(SocketNet(), SystemClock())
                port = await nursery.start(feeds.run)
                feed = {"tokyo": {"url": f"ws://127.0.0.1:{port}/tokyo"}}
                config = write_config(folder, {"exchange": urls, "feed": feed, "limits": LIMITS})
                with running(folder, "daemon", "run", "--config", str(config)) as daemon:
                    told = await _judged(folder, feeds, daemon, connections, requests, halts)
                nursery.cancel_scope.cancel()
    return told


async def _judged(
    folder: Path, feeds: FeedServer, daemon: Process, connections: int, requests: int, halts: int
) -> str:
    await trio.to_thread.run_sync(wait_ready, folder)
    with trio.fail_after(10):
        while feeds.clients("tokyo") == 0:
            await trio.sleep(0.01)
    calm = Judge(folder, feeds, 5)
    calm_ms = await calm.run(daemon, None)
    before_kib = daemon.rss_kib()
    storm = Process(
        folder, "storm", str(folder / "c.sock"), str(connections), str(requests),
        module="tests.long.control_storm",
    )  # fmt: skip
    judge = Judge(folder, feeds, halts)
    judge.coins = judge.coins[20:]
    try:
        took_ms = await judge.run(daemon, storm)
    finally:
        code = storm.stop()
    assert code == 0, storm.log.read_text()[-800:]
    growth_kib = daemon.rss_kib() - before_kib
    sent = storm.lines(1)["sent"]
    median, worst = statistics.median(took_ms), max(took_ms)
    told = (
        f"storm: {sent}\n"
        f"{len(took_ms)} halts: median {median:.1f} ms, worst {worst:.1f} ms "
        f"(calm: median {statistics.median(calm_ms):.1f} ms)\n"
        f"{judge.trades} trades meanwhile; memory grew by {growth_kib / 1024:.1f} MiB"
    )
    assert growth_kib < GROWTH_KIB_MAX, told
    assert daemon.log.read_text().count("a bug") == 0, daemon.log.read_text()[-2_000:]
    if halts >= HALTS:
        assert median <= MEDIAN_MS_MAX, told
        assert worst <= WORST_MS_MAX, told
    return told


def main() -> None:
    if len(sys.argv) > 3:
        storm = Storm(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), seed=1)
        trio.run(storm.run)
        print(f"sent = {json.dumps(storm.sent)}")
        return
    halts = int(sys.argv[1]) if len(sys.argv) > 1 else HALTS
    print(trio.run(play, CONNECTIONS, REQUESTS, halts))


if __name__ == "__main__":
    main()
