"""News of every feed as it stands on the wire, with times of now: what the scripted day plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lowcap.core.clock import iso_ms

# What a frame is made from: the wall time in milliseconds, a coin with its name, and a number.
Maker = Callable[[int, tuple[str, str], int], bytes]
SEC_STREAM = "01JC4R8T2W6Y9A3E5G7H1K0MNP"
ECON_STREAM = "01HV7K3M9QZ4X8N2B6C5D1E0FG"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def bwe_filing(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    title = f"BlackRock registers an iShares {coin[1]} Trust in Delaware"
    return _json(
        {
            "source_name": "BWENEWS",
            "news_title": title,
            "coins_included": [coin[0]],
            "url": f"https://t.me/BWEnews/{number}",
            "timestamp": now_ms // 1000,
        }
    )


def tree_filing(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    return _json(
        {
            "_id": f"{now_ms}f{number}",
            "title": f"TERMINAL: Lakeshore files S-1 for Lakeshore {coin[1]} Trust",
            "source": "Terminal",
            "url": f"https://news.example/{number}",
            "time": now_ms - 40,
        }
    )


def upbit_title(coin: tuple[str, str]) -> str:
    return f"[거래] {coin[1]}({coin[0]}) KRW, USDT 마켓 디지털 자산 추가"


def tree_listing(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    return _json(
        {
            "_id": f"{now_ms}l{number}",
            "title": upbit_title(coin),
            "source": "Upbit",
            "url": f"https://upbit.com/service_center/notice?id={number}",
            "time": now_ms - 40,
        }
    )


def board_listing(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    """The same on Upbit's own board."""
    return _json(
        {
            "id": number,
            "title": upbit_title(coin),
            "category": "거래",
            "listed_at": iso_ms(now_ms - 500),
            "first_listed_at": iso_ms(now_ms - 500),
        }
    )


def _post(handle: str, author_id: str, text: str, number: int) -> dict[str, Any]:
    return {
        "title": f"{handle} (@{handle})",
        "body": text,
        "link": f"https://twitter.com/{handle}/status/{number}",
        "info": {"twitterId": author_id, "isReply": False, "isRetweet": False, "isQuote": False},
    }


def tree_post(handle: str, author_id: str, text: str) -> Maker:
    def make(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
        head = {"_id": str(number), "time": now_ms - 30, "type": "direct"}
        filled = text.format(ticker=coin[0], name=coin[1])
        return _json(head | _post(handle, author_id, filled, number))

    return make


def phoenix_post(handle: str, author_id: str, text: str) -> Maker:
    def make(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
        return _json(
            {
                "_id": f"{number:024x}",
                "source": "Twitter",
                "name": handle,
                "username": handle,
                "twitterId": author_id,
                "tweetId": str(number),
                "body": text.format(ticker=coin[0], name=coin[1]),
                "url": f"https://twitter.com/{handle}/status/{number}",
                "isReply": False,
                "isRetweet": False,
                "createdAt": iso_ms(now_ms - 30),
                "time": now_ms - 30,
            }
        )

    return make


def x_post(handle: str, author_id: str, text: str) -> Maker:
    def make(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
        return _json(
            {
                "data": {
                    "id": str(number),
                    "author_id": author_id,
                    "created_at": iso_ms(now_ms - 30),
                    "text": text.format(ticker=coin[0], name=coin[1]),
                },
                "includes": {"users": [{"id": author_id, "name": handle, "username": handle}]},
            }
        )

    return make


def sec_order(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    text = (
        f"Release 34-{number % 1_000_000}\nOrder Granting Accelerated Approval of a Proposed Rule "
        f"Change to List and Trade Shares of the Lakeshore {coin[1]} Trust"
    )
    return _synoptic(now_ms, SEC_STREAM, text, number, None)


def payrolls(now_ms: int, coin: tuple[str, str], number: int) -> bytes:
    numbers = [{"name": "Nonfarm Payrolls", "actual": "31K", "forecast": "110K"}]
    return _synoptic(now_ms, ECON_STREAM, "US jobs", number, numbers)


def _synoptic(now_ms: int, stream: str, text: str, number: int, numbers: object) -> bytes:
    data = {
        "id": f"01STORY{number:019d}",
        "streamId": stream,
        "text": text,
        "createdAt": iso_ms(now_ms - 30),
    }
    data |= {} if numbers is None else {"numbers": numbers}  # type: ignore[dict-item]
    return _json({"event": "stream.post.created", "data": data})
