"""The sources over HTTP: X's stream of lines, Upbit's board and CoinGecko's table."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import trio
from feedserver_kit import AT_MS, Serving, read_for, serving, until
from trio.testing import MockClock

from lowcap.core.errors import NoAnswer
from lowcap.paper.feedfaults import seoul_time

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
NEWS = [f'{{"data":{{"id":"{n}","text":"post {n}"}}}}'.encode() for n in range(3)]
MARKETS = "coingecko/coins/markets?vs_currency=usd"


# -- X ----------------------------------------------------------------------


async def x_stream(here: Serving, token: str = "") -> trio.abc.Stream:
    """A request for the stream; its reply is yet to be read."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return await here.raw(f"GET /twitter HTTP/1.1\r\nHost: x\r\n{bearer}\r\n".encode())


def lines_of(reply: bytes) -> tuple[bytes, list[bytes]]:
    """Status line and the lines of a chunked reply, without the break behind the last."""
    head, _, rest = reply.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return head.split(b"\r\n")[0], body.split(b"\r\n")[:-1]


async def test_x_sends_lines_and_an_empty_one_after_20_s_of_silence(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        stream = await x_stream(here)
        await until(lambda: here.server.clients("twitter") == 1)
        assert here.server.send("twitter", NEWS[0]) == 1
        await trio.sleep(19)
        here.server.send("twitter", NEWS[1])
        status, lines = lines_of(await read_for(stream, 41))
        assert status == b"HTTP/1.1 200 OK"
        assert lines == [NEWS[0], NEWS[1], b"", b""]
        assert (here.server.counts["twitter"].sent, here.server.counts["twitter"].answers) == (2, 2)


async def test_x_has_one_stream_a_token_and_sees_the_client_leave(
    autojump_clock: MockClock,
) -> None:
    async with serving(keys={"twitter": "token"}) as here:
        for wrong in ("", "other"):
            assert b"HTTP/1.1 401" in await read_for(await x_stream(here, wrong), 1)
        first = await x_stream(here, "token")
        await until(lambda: here.server.clients("twitter") == 1)
        status = await read_for(await x_stream(here, "token"), 1)
        assert b"HTTP/1.1 429" in status
        assert b"TooManyConnections" in status
        await first.aclose()
        await until(lambda: here.server.clients("twitter") == 0)
        again = await x_stream(here, "token")
        await until(lambda: here.server.clients("twitter") == 1)
        await again.aclose()


async def test_x_takes_leave_with_an_errors_object(autojump_clock: MockClock) -> None:
    async with serving() as here:
        stream = await x_stream(here)
        await until(lambda: here.server.clients("twitter") == 1)
        here.server.send("twitter", NEWS[0])
        assert here.server.fault("twitter", "close") == 1
        with trio.fail_after(5):
            reply = await read_for(stream, 60)
        _, lines = lines_of(reply)
        assert lines[0] == NEWS[0]
        assert json.loads(lines[1])["errors"][0]["title"] == "operational-disconnect"
        assert reply.endswith(b"0\r\n\r\n")
        assert here.server.counts["twitter"].sent == 1


async def test_x_is_cut_by_drop_and_silent_when_mute_or_half_open(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        for kind in ("mute", "half-open"):
            stream = await x_stream(here)
            await until(lambda: here.server.clients("twitter") == 1)
            await read_for(stream, 0.1)
            here.server.fault("twitter", kind, seconds=90)
            assert here.server.send("twitter", NEWS[0]) == 0
            assert await read_for(stream, 89) == b""
            await read_for(stream, 30)  # the fault is over, the keep-alive back
            assert here.server.send("twitter", NEWS[1]) == 1
            assert NEWS[1] in await read_for(stream, 1)
            here.server.fault("twitter", "drop")
            with trio.fail_after(5):
                assert not (await read_for(stream, 60)).endswith(b"0\r\n\r\n")
        assert here.server.counts["twitter"].withheld == 2


@pytest.mark.parametrize(("kind", "status"), [("reject", b"HTTP/1.1 503"), ("refuse", b"")])
async def test_x_can_be_refused_for_a_while(
    kind: str, status: bytes, autojump_clock: MockClock
) -> None:
    async with serving() as here:
        here.server.fault("twitter", kind, seconds=10)
        reply = await read_for(await x_stream(here), 5)
        assert reply.startswith(status)
        assert b"200" not in reply
        await trio.sleep(10)
        assert b"200 OK" in await read_for(await x_stream(here), 1)


# -- Upbit --------------------------------------------------------------------


def notice(number: int, **more: Any) -> dict[str, Any]:
    listed = seoul_time(AT_MS - number * 1_000)
    return {
        "id": number,
        "title": f"notice {number}",
        "category": "거래",
        "listed_at": listed,
        "first_listed_at": listed,
    } | more


def titles(body: bytes) -> list[str]:
    return [each["title"] for each in json.loads(body)["data"]["notices"]]


async def test_upbit_shows_its_board_in_pages_and_spares_what_is_known() -> None:
    async with serving() as here:
        here.server.notices = [notice(n) for n in range(25)]
        first = await here.get("upbit?page=1&per_page=20", **BROWSER)
        assert first.status == 200
        assert titles(first.body) == [f"notice {n}" for n in range(20)]
        assert json.loads(first.body)["data"]["total_pages"] == 2
        second = await here.get("upbit?page=2&per_page=20", **BROWSER)
        assert titles(second.body) == [f"notice {n}" for n in range(20, 25)]
        tag = first.headers["etag"]
        again = await here.get("upbit?page=1&per_page=20", **BROWSER, if_none_match=tag)
        assert (again.status, again.body) == (304, b"")
        here.server.notices.insert(0, notice(99))
        news = await here.get("upbit?page=1&per_page=20", **BROWSER, if_none_match=tag)
        assert titles(news.body)[0] == "notice 99"
        assert here.server.counts["upbit"].connects == 4
        assert here.server.counts["upbit"].sent == 3


async def test_upbit_filters_by_category_and_turns_robots_away() -> None:
    async with serving() as here:
        here.server.notices = [notice(1, category="이벤트"), notice(2), notice(3, category="Trade")]
        trade = await here.get("upbit?category=trade", **BROWSER)
        assert titles(trade.body) == ["notice 2", "notice 3"]
        assert len(titles((await here.get("upbit", **BROWSER)).body)) == 3
        assert (await here.get("upbit")).status == 403


async def test_what_upbit_is_sent_stands_on_its_board() -> None:
    async with serving() as here:
        for number in (1, 2):
            here.server.send("upbit", msgspec.json.encode(notice(number)))
        here.server.send("upbit", b"{broken")
        here.server.send("upbit", msgspec.json.encode(notice(1, title="edited")))
        assert [each["title"] for each in here.server.notices] == ["edited", "notice 2"]
        page = {"success": True, "data": {"notices": [notice(7)]}}
        here.server.send("upbit", msgspec.json.encode(page))
        assert here.server.notices == [notice(7)]


async def test_the_faults_of_upbit(autojump_clock: MockClock) -> None:
    async with serving() as here:
        assert here.server.fault("upbit", "stale") == 0
        here.server.notices = [notice(1)]
        here.server.fault("upbit", "stale")
        [edited] = here.server.notices
        assert edited["first_listed_at"] == notice(1)["first_listed_at"]
        assert edited["listed_at"] != notice(1)["listed_at"]
        here.server.fault("upbit", "duplicate", count=2)
        assert here.server.notices == [edited] * 3
        here.server.fault("upbit", "flood", count=30)
        await until(lambda: len(here.server.notices) == 33)
        assert len({each["id"] for each in here.server.notices}) == 31
        here.server.fault("upbit", "junk", count=2)
        for _ in range(2):
            with pytest.raises((ValueError, TypeError, KeyError)):
                titles((await here.get("upbit", **BROWSER)).body)
        assert len(titles((await here.get("upbit", **BROWSER)).body)) == 20
        here.server.fault("upbit", "mute", seconds=20)
        with pytest.raises(NoAnswer):
            await here.get("upbit", **BROWSER)
        assert (await here.get("upbit", **BROWSER)).status == 200


# -- CoinGecko ----------------------------------------------------------------


async def test_coingecko_shows_its_table_in_pages_by_capitalisation() -> None:
    async with serving(keys={"coingecko": "demo"}) as here:
        page = f"{MARKETS}&order=market_cap_desc&per_page=40"
        first = json.loads((await here.get(f"{page}&page=1", x_cg_demo_api_key="demo")).body)
        second = json.loads((await here.get(f"{page}&page=2")).body)
        assert [coin["symbol"] for coin in first[:2]] == ["btc", "eth"]
        coins = first + second
        caps = [coin["market_cap"] or 0 for coin in coins]
        assert caps == sorted(caps, reverse=True)
        assert len(first) == 40
        assert len(coins) >= 60
        assert {coin["market_cap"] for coin in coins} >= {None, 0}
        symbols = [coin["symbol"] for coin in coins]
        assert symbols.count("link") == 2
        assert len({coin["id"] for coin in coins}) == len(coins)
        assert first[0]["current_price"] == 70_000
        some = await here.get(f"{MARKETS}&ids=solana,bitcoin")
        assert [coin["id"] for coin in json.loads(some.body)] == ["bitcoin", "solana"]
        assert json.loads((await here.get(f"{page}&page=9")).body) == []


async def test_coingecko_refuses_wrong_keys_paths_and_questions() -> None:
    async with serving(keys={"coingecko": "demo"}) as here:
        wrong = await here.get(MARKETS, x_cg_demo_api_key="other")
        assert (wrong.status, json.loads(wrong.body)["status"]["error_code"]) == (401, 10002)
        pro = await here.get(MARKETS, x_cg_pro_api_key="demo")
        assert (pro.status, json.loads(pro.body)["status"]["error_code"]) == (400, 10010)
        assert (await here.get("coingecko/coins/markets")).status == 422
        assert (await here.get("coingecko/simple/price?vs_currency=usd")).status == 404


async def test_coingecko_counts_the_calls_of_a_minute(autojump_clock: MockClock) -> None:
    async with serving() as here:
        here.server.calls_a_minute["coingecko"] = 3
        for _ in range(3):
            assert (await here.get(MARKETS)).status == 200
            await trio.sleep(10)
        late = await here.get(MARKETS)
        assert (late.status, late.headers["retry-after"]) == (429, "30")
        await trio.sleep(30)
        assert (await here.get(MARKETS)).status == 200
        assert (await here.get(MARKETS)).status == 429


async def test_a_recorded_table_replaces_the_table() -> None:
    async with serving() as here:
        here.server.send("coingecko", b'[{"id":"a","symbol":"a","market_cap":5}]')
        here.server.send("coingecko", b"{}")
        here.server.send("coingecko", b"[broken")
        assert [c["id"] for c in json.loads((await here.get(MARKETS)).body)] == ["a"]


async def test_a_polled_source_can_be_dropped_rejected_and_held(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        await here.get(MARKETS)
        assert here.server.clients("coingecko") == 1  # kept alive between two requests
        here.server.fault("coingecko", "close")
        await until(lambda: here.server.clients("coingecko") == 0)
        here.server.fault("coingecko", "reject", seconds=5)
        stream = await here.raw(f"GET /{MARKETS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b" 503 " in await read_for(stream, 1)
        await stream.aclose()
        await trio.sleep(5)
        stream = await here.raw(f"GET /{MARKETS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b" 200 " in await read_for(stream, 1)
        here.server.fault("coingecko", "half-open", seconds=50)
        await stream.send_all(f"GET /{MARKETS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await read_for(stream, 49) == b""
        assert b" 200 " in await read_for(stream, 2)
        await stream.aclose()


async def test_a_connection_that_two_sources_share_ends_with_the_last(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        await here.get("upbit", **BROWSER)
        await here.get(MARKETS)
        assert (here.server.clients("upbit"), here.server.clients("coingecko")) == (0, 1)
        assert here.server.fault("upbit", "drop") == 0
        assert here.server.fault("coingecko", "drop") == 1


async def test_a_half_open_stream_of_x_does_not_keep_a_new_one_out(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        stale = await x_stream(here)
        await until(lambda: here.server.clients("twitter") == 1)
        here.server.fault("twitter", "half-open", seconds=100)
        fresh = await x_stream(here)
        await until(lambda: here.server.clients("twitter") == 1)
        assert here.server.send("twitter", NEWS[0]) == 1
        assert NEWS[0] in await read_for(fresh, 1)
        await fresh.aclose()
        await stale.aclose()
