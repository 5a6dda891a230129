"""The sources that are asked over HTTP: X's stream, Upbit's notices, CoinGecko's table."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
import trio

from lowcap.net.http import HttpReply
from lowcap.net.serve import HttpRequest, SendBytes
from lowcap.paper.feedfaults import seoul_time

POLLED = ("upbit", "coingecko")
KEEP_ALIVE_S = 20.0  # X sends an empty line after so much silence
MINUTE_S = 60.0
JSON = {"content-type": "application/json; charset=utf-8"}
TRADE = ("거래", "Trade")
DISCONNECT = msgspec.json.encode(
    {
        "errors": [
            {
                "title": "operational-disconnect",
                "disconnect_type": "UpstreamOperationalDisconnect",
                "detail": "The server ends this stream; connect again.",
                "type": "https://api.twitter.com/2/problems/operational-disconnect",
            }
        ]
    }
)
_TOO_MANY = {
    "title": "ConnectionException",
    "detail": "This application already holds its one stream.",
    "connection_issue": "TooManyConnections",
    "type": "https://api.twitter.com/2/problems/streaming-connection",
}

# CoinGecko id, ticker, name, capitalisation in millions of dollars, coins in millions. The
# figures are round and invented. Tickers repeat where copies of a coin carry its name.
_COINS = """
bitcoin BTC Bitcoin 1400000 20|ethereum ETH Ethereum 290000 120|tether USDT Tether 180000 180000
ripple XRP XRP 115000 60000|binancecoin BNB BNB 90000 140|solana SOL Solana 85000 560
usd-coin USDC USDC 70000 70000|tron TRX TRON 26000 95000|dogecoin DOGE Dogecoin 23000 150000
cardano ADA Cardano 18000 36000|hyperliquid HYPE Hyperliquid 12500 330
wrapped-bitcoin WBTC Wrapped_Bitcoin 8800 0.128|bitcoin-cash BCH Bitcoin_Cash 10200 20
chainlink LINK Chainlink 10500 700|stellar XLM Stellar 8600 32000|sui SUI Sui 12000 3750
avalanche-2 AVAX Avalanche 9000 430|litecoin LTC Litecoin 7000 76|zcash ZEC Zcash 5000 16
shiba-inu SHIB Shiba_Inu 7400 590000|hedera-hashgraph HBAR Hedera 7700 42800
the-open-network TON Toncoin 5400 2450|polkadot DOT Polkadot 6500 1600|monero XMR Monero 5900 18.4
uniswap UNI Uniswap 4900 630|bittensor TAO Bittensor 3400 10|aave AAVE Aave 2900 15.2
pepe PEPE Pepe 4600 420000|near NEAR NEAR_Protocol 3000 1250|aptos APT Aptos 3900 740
ethereum-classic ETC Ethereum_Classic 2800 155|internet-computer ICP Internet_Computer 2800 540
ondo-finance ONDO Ondo 2900 3160|worldcoin-wld WLD Worldcoin 2200 2450
polygon-ecosystem-token POL POL 2300 10500|ethena ENA Ethena 3300 7900
arbitrum ARB Arbitrum 1900 5500|cosmos ATOM Cosmos_Hub 2200 480|algorand ALGO Algorand 1650 8700
filecoin FIL Filecoin 2200 710|official-trump TRUMP Official_Trump 1880 200
render-token RENDER Render 2000 519|bonk BONK Bonk 1700 81000|celestia TIA Celestia 1750 835
sei-network SEI Sei 1300 6200|injective-protocol INJ Injective 1250 100
fetch-ai FET Artificial_Superintelligence_Alliance 1700 2600|optimism OP Optimism 1150 1855
blockstack STX Stacks 1260 1800|virtual-protocol VIRTUAL Virtuals_Protocol 920 656
floki FLOKI FLOKI 870 9600000|jupiter-exchange-solana JUP Jupiter 1550 3100
pendle PENDLE Pendle 700 167|lido-dao LDO Lido_DAO 800 890|dogwifcoin WIF dogwifhat 900 999
curve-dao-token CRV Curve_DAO 860 1390|the-graph GRT The_Graph 940 10400
kaito KAITO KAITO 330 275|ethereum-name-service ENS Ethereum_Name_Service 700 35
eigenlayer EIGEN EigenCloud 480 320|layerzero ZRO LayerZero 360 200|berachain BERA Berachain 220 110
neiro-3 NEIRO Neiro 170 420690|moo-deng MOODENG Moo_Deng 99 990
goatseus-maximus GOAT Goatseus_Maximus 150 1000|popcat POPCAT Popcat 390 980
neiro-on-eth NEIRO Neiro_on_ETH 20 1000|polygon-bridged-link LINK Bridged_Chainlink 400 26.7
harbour-sui SUI Harbour_Sui 9 900|small-harbour HRB Small_Harbour 0 0|unranked-quay QUAY Quay - 40
"""


def default_markets() -> list[dict[str, Any]]:
    """A table of some seventy coins with invented capitalisations, largest first.

    NEIRO, LINK and SUI stand in it twice, one coin has no capitalisation and one has 0.
    """
    rows = [row.split() for line in _COINS.strip().splitlines() for row in line.split("|")]
    rows.sort(key=lambda row: 0.0 if row[3] == "-" else float(row[3]), reverse=True)
    return [_market(rank, *row) for rank, row in enumerate(rows, start=1)]


def _market(
    rank: int, name_id: str, ticker: str, name: str, cap: str, coins: str
) -> dict[str, Any]:
    supply = float(coins) * 1e6
    worth = None if cap == "-" else int(float(cap) * 1e6)
    return {
        "id": name_id,
        "symbol": ticker.lower(),
        "name": name.replace("_", " "),
        "current_price": float(f"{worth / supply:.6g}") if worth and supply else None,
        "market_cap": worth,
        "market_cap_rank": rank if worth else None,
        "fully_diluted_valuation": worth,
        "total_volume": (worth or 0) // 20,
        "circulating_supply": supply,
        "last_updated": "2026-02-06T13:00:00.000Z",
    }


class Hurry:
    """Counts the calls of a minute and says how long a caller that was too quick must wait."""

    def __init__(self) -> None:
        self._calls_s: deque[float] = deque()

    def wait_s(self, per_minute: int) -> int:
        """0 when this call is one of the allowed, else whole seconds until the next would be."""
        now_s = trio.current_time()
        while self._calls_s and now_s - self._calls_s[0] >= MINUTE_S:
            self._calls_s.popleft()
        if len(self._calls_s) < per_minute:
            self._calls_s.append(now_s)
            return 0
        return math.ceil(self._calls_s[0] + MINUTE_S - now_s)


def too_many(wait_s: int) -> HttpReply:
    """The reply to a caller that was too quick."""
    return json_reply({"status": {"error_code": 429}}, 429, {"retry-after": str(wait_s)})


def json_reply(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpReply:
    """A reply whose body is ``value`` as JSON."""
    return HttpReply(status, JSON | dict(headers or {}), msgspec.json.encode(value))


# -- Upbit ------------------------------------------------------------------


def upbit_reply(request: HttpRequest, notices: list[dict[str, Any]]) -> HttpReply:
    """A page of the notice board, newest first, as 304 where the caller has it already.

    The shield in front refuses what does not look like a browser.
    """
    if not request.headers.get("user-agent", "").startswith("Mozilla/"):
        return HttpReply(403, {"content-type": "text/html"}, b"<html>forbidden</html>")
    asked = parse_qs(request.query)
    if asked.get("category") == ["trade"]:
        notices = [notice for notice in notices if notice.get("category", TRADE[0]) in TRADE]
    page, size = _number(asked, "page", 1, 10_000), _number(asked, "per_page", 20, 100)
    shown = notices[(page - 1) * size : page * size]
    pages = max(1, math.ceil(len(notices) / size))
    reply = json_reply(
        {
            "success": True,
            "data": {"total_pages": pages, "total_count": len(notices), "notices": shown},
        }
    )
    tag = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
    if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
        return HttpReply(304, {"etag": tag}, b"")
    return HttpReply(200, reply.headers | {"etag": tag}, reply.body)


def with_notice(notices: list[dict[str, Any]], frame: bytes) -> list[dict[str, Any]]:
    """The board after ``frame``: one notice goes on top, a recorded page replaces all.

    A notice with the id of an older one takes its place, at the top.
    """
    try:
        value = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return notices
    if not isinstance(value, dict):
        return notices
    page = value.get("data")
    if isinstance(page, dict) and isinstance(page.get("notices"), list):
        return [notice for notice in page["notices"] if isinstance(notice, dict)]
    others = [each for each in notices if "id" not in each or each["id"] != value.get("id")]
    return [value, *others]


def shown_again(
    notices: list[dict[str, Any]], count: int, edited_ms: int | None
) -> list[dict[str, Any]]:
    """The board with its newest notice ``count`` times more, or edited at a wall time.

    An edit renews ``listed_at`` and leaves ``first_listed_at`` alone.
    """
    if not notices:
        return notices
    if edited_ms is None:
        return [notices[0]] * count + notices
    edit = {"listed_at": seoul_time(edited_ms), "need_update_badge": True}
    return [notices[0] | edit, *notices[1:]]


# -- CoinGecko --------------------------------------------------------------


def coingecko_reply(request: HttpRequest, markets: list[dict[str, Any]], key: str) -> HttpReply:
    """A page of ``/coins/markets``; with ``key`` a wrong demo key is refused."""
    if "x-cg-pro-api-key" in request.headers:
        return _cg_fault(400, 10010, "a pro key belongs to the pro root")
    shown_key = request.headers.get("x-cg-demo-api-key", "")
    if key and shown_key not in ("", key):
        return _cg_fault(401, 10002, "this key is not known")
    if not request.path.endswith("/coins/markets"):
        return json_reply({"error": "no such path"}, 404)
    asked = parse_qs(request.query)
    if "vs_currency" not in asked:
        return json_reply({"error": "Missing parameter vs_currency"}, 422)
    if "ids" in asked:
        wanted = set(asked["ids"][0].split(","))
        markets = [coin for coin in markets if coin.get("id") in wanted]
    order = asked.get("order", ["market_cap_desc"])[0]
    if order in ("market_cap_desc", "market_cap_asc"):
        rising = order.endswith("asc")
        markets = sorted(markets, key=lambda c: c.get("market_cap") or 0, reverse=not rising)
    page, size = _number(asked, "page", 1, 10_000), _number(asked, "per_page", 100, 250)
    return json_reply(markets[(page - 1) * size : page * size])


def with_markets(markets: list[dict[str, Any]], frame: bytes) -> list[dict[str, Any]]:
    """The table after ``frame``: a recorded page replaces it, anything else does not."""
    try:
        value = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return markets
    if not isinstance(value, list):
        return markets
    return [coin for coin in value if isinstance(coin, dict)]


def _cg_fault(status: int, code: int, words: str) -> HttpReply:
    return json_reply({"status": {"error_code": code, "error_message": words}}, status)


def _number(asked: dict[str, list[str]], name: str, default: int, most: int) -> int:
    """A page or size of the query, at least 1; what is no number counts as left out."""
    text = asked.get(name, [""])[0]
    return min(max(int(text), 1), most) if text.isdecimal() and len(text) < 9 else default


# -- X ----------------------------------------------------------------------


def x_refusal(request: HttpRequest, key: str, streams: int) -> HttpReply | None:
    """Why a request for the filtered stream is not granted; an application has one stream."""
    if request.method != "GET" or request.path.endswith("/rules"):
        return json_reply({"title": "Not Found", "status": 404}, 404)
    if key and request.headers.get("authorization", "") != f"Bearer {key}":
        return json_reply({"title": "Unauthorized", "type": "about:blank", "status": 401}, 401)
    return json_reply(_TOO_MANY, 429) if streams else None


async def x_lines(
    frames: trio.MemoryReceiveChannel[bytes],
    send: SendBytes,
    *,
    on_line: Callable[[bool], None],
    is_mute: Callable[[], bool],
) -> None:
    """A line for each frame until the channel ends, and an empty one after each silence.

    ``on_line`` hears of every line that has left, and whether it carried a frame.
    """
    while True:
        frame = None
        with trio.move_on_after(KEEP_ALIVE_S):
            try:
                frame = await frames.receive()
            except trio.EndOfChannel:
                return
        if frame is not None or not is_mute():
            await send((frame or b"") + b"\r\n")
            on_line(frame is not None)
