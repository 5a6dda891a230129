"""A prepared order says what the plain way says, and its signature is the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.orders import place_params
from lowcap.binance.sign import Signer
from lowcap.binance.templates import Templates, _examples
from lowcap.core.errors import NotSent
from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.paper.auth import ws_signed_text
from tests import vectors as v
from tests.binance.binance_kit import ED25519, HMAC, line_to_peer, line_to_venue

AMOUNT = st.decimals("0.00000001", "1000000", places=8)
ORDERS = st.builds(
    OrderIntended,
    client_id=st.from_regex(r"\A[.A-Z:/a-z0-9_-]{1,36}\Z"),
    symbol=st.sampled_from(["XRPUSDT", "1000PEPEUSDT", "测试USDT", 'ODD"%s\\USDT']),
    side=st.sampled_from(Side),
    purpose=st.just(Purpose.ENTRY),
    type=st.sampled_from(["LIMIT", "MARKET", "STOP_MARKET"]),
    leg=st.just("e"),
    recv_window_ms=st.integers(1, 60_000),
    timestamp_ms=st.just(0),
    qty=st.none() | AMOUNT,
    price=st.none() | AMOUNT,
    reduce_only=st.booleans(),
    close_position=st.booleans(),
).flatmap(
    lambda order: (
        st.just(order)
        if order.type != "STOP_MARKET"
        else AMOUNT.map(lambda price: msgspec.structs.replace(order, trigger_price=price))
    )
)


def filled(intent: OrderIntended, signer: Signer | None, key: str = v.API_KEY) -> Any:
    return msgspec.json.decode(Templates(key).of(intent).fill(intent, 7, v.AT_MS, signer))


@given(ORDERS)
@pytest.mark.parametrize("signer", [HMAC, ED25519])
def test_a_filled_template_is_the_plain_request_signed(
    signer: Signer, intent: OrderIntended
) -> None:
    method, params = place_params(intent)
    params |= {"timestamp": v.AT_MS, "apiKey": v.API_KEY}
    signature = signer.sign(ws_signed_text(params).encode())
    assert filled(intent, signer) == {
        "id": 7,
        "method": method,
        "params": params | {"signature": signature},
    }


@given(ORDERS)
def test_after_a_logon_key_and_signature_are_left_out(intent: OrderIntended) -> None:
    method, params = place_params(intent)
    expected = {"id": 7, "method": method, "params": params | {"timestamp": v.AT_MS}}
    assert filled(intent, None) == expected


def test_what_was_prepared_is_not_made_again() -> None:
    ready = Templates(v.API_KEY)
    ready.prepare(["XRPUSDT", "ETHUSDT"])
    assert len(ready) == 20
    ready.prepare(["XRPUSDT"])
    for example in _examples("XRPUSDT"):
        order = msgspec.structs.replace(example, client_id="lcd-1-7-e", recv_window_ms=1_000)
        assert ready.of(order) is ready.of(example)
    assert len(ready) == 20


def entry() -> OrderIntended:
    example = next(iter(_examples("XRPUSDT")))
    return msgspec.structs.replace(
        example, client_id="lcd-1-7-e", recv_window_ms=1_000, qty=Decimal(10), price=Decimal("1.9")
    )


@pytest.mark.parametrize("signer", [HMAC, ED25519])
async def test_the_venue_takes_a_prepared_order(signer: Signer, autojump_clock: Any) -> None:
    async with line_to_venue(signer) as (line, _):
        await line.up()
        replies: list[Any] = []
        line.socket.place(entry(), replies.append)
        while not replies:
            await trio.sleep(0.01)
        assert (replies[0].status, replies[0].error) == (200, None)
        assert line.socket.budget.used(v.AT_MS)["orders-10s"] == "1/300"


async def test_nothing_leaves_where_the_connection_is_down(autojump_clock: Any) -> None:
    async with line_to_peer() as (line, peer):
        with pytest.raises(NotSent):
            line.socket.place(entry(), lambda reply: None)
        await line.up()
        assert peer.got == []
