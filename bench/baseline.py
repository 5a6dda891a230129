"""The least a Trio program can do: a frame in, a canned order out. No parsing, no checks.

python -m bench.baseline FEED_URL ORDER_URL
"""

from __future__ import annotations

import sys

import trio
import trio_websocket

ORDER = (
    '{"id":1,"method":"order.place","params":{"apiKey":"k","newClientOrderId":"lcd-1-1-e",'
    '"newOrderRespType":"RESULT","price":"1.2345","quantity":"100","recvWindow":1000,'
    '"side":"BUY","symbol":"KAITOUSDT","timeInForce":"IOC","timestamp":1770384600000,'
    '"type":"LIMIT","signature":"' + "0" * 64 + '"}}'
)


async def main(feed_url: str, order_url: str) -> None:
    """Answer every frame of the feed with the same order."""
    async with (
        trio_websocket.open_websocket_url(order_url, message_queue_size=256) as orders,
        trio_websocket.open_websocket_url(feed_url, message_queue_size=256) as feed,
        trio.open_nursery() as nursery,
    ):

        async def drain() -> None:
            while True:
                await orders.get_message()

        nursery.start_soon(drain)
        while True:
            await feed.get_message()
            await orders.send_message(ORDER)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
