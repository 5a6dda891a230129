"""What the simulated venue does to an account by itself, and the account's own margin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from paper_kit import BTC, T0, XRP, Venue, algo, names

from lowcap.paper.exchange import SimEvent
from lowcap.paper.faults import Fault
from lowcap.paper.upsets import strike_listing

FUNDING_MS = 8 * 3_600_000


def happen(venue: Venue, **event: Any) -> None:
    venue.exchange.happen(SimEvent(**event), venue.now_ms)


def isolated(leverage: int = 20) -> Venue:
    """A venue with 1000 XRP bought on isolated margin."""
    venue = Venue()
    venue.call("account.leverage", symbol=XRP, leverage=leverage)
    venue.call("account.marginType", symbol=XRP, marginType="ISOLATED")
    venue.market("BUY", "1000")
    venue.events()
    return venue


def kinds(venue: Venue) -> list[str]:
    return [row["incomeType"] for row in venue.call("account.income")]


# -- funding ----------------------------------------------------------------


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_longs_pay_funding_and_shorts_receive_it(side: str) -> None:
    venue = Venue()
    venue.market(side, "1000")
    venue.tick()
    before, paid = venue.exchange.state.wallet, Decimal("1000") * Decimal("1.9") / 10_000
    venue.events()
    venue.now_ms = T0 // FUNDING_MS * FUNDING_MS + FUNDING_MS - 1_000
    venue.tick()
    assert venue.exchange.state.wallet - before == (-paid if side == "BUY" else paid)
    [event] = [e for e in venue.events() if e["e"] == "ACCOUNT_UPDATE"]
    assert [event["a"]["m"], event["a"]["S"], event["a"]["P"]] == ["FUNDING_FEE", XRP, []]
    venue.tick()
    assert kinds(venue).count("FUNDING_FEE") == 1


def test_funding_of_an_isolated_position_tells_the_position() -> None:
    venue = isolated()
    happen(venue, kind="funding")
    assert venue.events()[0]["a"]["P"][0]["s"] == XRP


# -- liquidation ------------------------------------------------------------


def test_an_isolated_position_is_liquidated_at_its_price_and_costs_its_margin() -> None:
    venue = isolated()
    [row] = venue.call("account.position", symbol=XRP)
    price = Decimal(row["liquidationPrice"])
    before = venue.exchange.state.wallet
    venue.exchange.board.set_price(XRP, price + Decimal("0.0005"))
    venue.tick()
    assert venue.held() == 1_000
    venue.exchange.board.set_price(XRP, price - Decimal("0.0005"))
    venue.tick()
    assert venue.held() == 0
    lost = before - venue.exchange.state.wallet
    assert lost <= Decimal(row["isolatedWallet"]) * Decimal("1.02")
    assert kinds(venue)[-1] == "INSURANCE_CLEAR"


def test_a_liquidation_looks_like_the_venues_own_order() -> None:
    venue = isolated()
    venue.call("algoOrder.place", **algo("SELL", "1.0000"))
    venue.limit("BUY", "100", "1.8000", newClientOrderId="mine")
    venue.events()
    happen(venue, kind="liquidation", symbol=XRP)
    events = venue.events()
    assert names(events)[0] == "order EXPIRED EXPIRED"
    assert events[0]["o"]["er"] == "5"
    assert "algo EXPIRED" in names(events)
    [fill] = [e["o"] for e in events if e.get("o", {}).get("x") == "CALCULATED"]
    assert fill["c"].startswith("autoclose-")
    assert [fill["o"], fill["X"]] == ["LIQUIDATION", "FILLED"]
    [forced] = venue.call("order.forced")
    assert forced["clientOrderId"] == fill["c"]
    assert venue.call("order.forced", autoCloseType="ADL") == []


def test_a_cross_account_is_liquidated_when_all_its_positions_need_more_than_it_has() -> None:
    venue = Venue(wallet=Decimal(200))
    venue.market("BUY", "2000")
    venue.price("1.8200")
    assert venue.held() == 2_000
    venue.price("1.8000")
    assert venue.held() == 0


def test_a_margin_call_comes_once_before_it() -> None:
    venue = isolated()
    price = Decimal(venue.call("account.position", symbol=XRP)[0]["liquidationPrice"])
    venue.exchange.board.set_price(XRP, price + Decimal("0.0015"))
    venue.tick()
    [call] = [e for e in venue.events() if e["e"] == "MARGIN_CALL"]
    assert [call["p"][0]["s"], call["p"][0]["mt"]] == [XRP, "ISOLATED"]
    venue.tick()
    assert venue.events() == []


def test_deleveraging_closes_at_the_mark() -> None:
    venue = isolated()
    happen(venue, kind="adl", symbol=XRP)
    assert venue.held() == 0
    assert venue.call("account.trades", symbol=XRP)[-1]["price"] == "1.9"
    [forced] = venue.call("order.forced", autoCloseType="ADL")
    assert forced["clientOrderId"].startswith("adl_autoclose")


def test_a_delisting_ends_orders_and_settles_at_the_mark() -> None:
    venue = isolated()
    venue.market("BUY", "0.010", symbol=BTC)
    venue.limit("SELL", "500", "2.5000", reduceOnly="true")
    venue.call("algoOrder.place", **algo("SELL", "1.5000"))
    venue.events()
    for symbol in (XRP, BTC):
        strike_listing(venue.exchange, Fault(kind="delist", symbol=symbol))
    assert venue.held() == venue.held(BTC) == 0
    told = [e["o"] for e in venue.events() if e["e"] == "ORDER_TRADE_UPDATE"]
    assert [(o["s"], o["x"], o["er"]) for o in told] == [
        (XRP, "EXPIRED", "7"), (XRP, "NEW", "7"), (XRP, "TRADE", "7"),
        (BTC, "NEW", "7"), (BTC, "TRADE", "7"),
    ]  # fmt: skip
    assert told[2]["L"] == "1.9"
    forced = {o["c"] for o in told if o["c"].startswith("settlement_autoclose-")}
    assert len(forced) == 2  # of one moment, and yet each with an id of its own
    assert venue.call("algoOrder.open") == []


def test_a_jump_triggers_what_it_passes() -> None:
    venue = isolated(leverage=2)
    venue.call("algoOrder.place", **algo("SELL", "1.8000"))
    happen(venue, kind="jump", symbol=XRP, percent=Decimal(-10))
    assert venue.held() == 0
    assert venue.call("ticker.price", symbol=XRP)["price"] == "1.71"


def test_events_are_spelled_out() -> None:
    assert msgspec.json.decode(b'{"kind":"jump","symbol":"X","percent":"-3"}', type=SimEvent)
    for wrong in (b'{"kind":"boom"}', b'{"kind":"jump","percent":"-100"}', b'{"kind":"adl","x":1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=SimEvent)


# -- margin and modes -------------------------------------------------------


def test_margin_added_to_a_position_moves_its_liquidation_away() -> None:
    venue = isolated()
    before = Decimal(venue.call("account.position", symbol=XRP)[0]["liquidationPrice"])
    free = Decimal(venue.call("account.balance")[0]["availableBalance"])
    reply = venue.call("account.positionMargin", symbol=XRP, amount="50", type="1")
    assert [reply["amount"], reply["type"], reply["code"]] == [50.0, 1, 200]
    after = Decimal(venue.call("account.position", symbol=XRP)[0]["liquidationPrice"])
    assert before - after == pytest.approx(Decimal("0.05"), rel=Decimal("0.02"))
    assert free - Decimal(venue.call("account.balance")[0]["availableBalance"]) == 50
    venue.call("account.positionMargin", symbol=XRP, amount="50", type="2")
    assert Decimal(venue.call("account.position", symbol=XRP)[0]["liquidationPrice"]) == before


@pytest.mark.parametrize(
    ("symbol", "amount", "kind", "code"),
    [
        (XRP, "0", "1", -4055),
        (XRP, "1", "3", -1102),
        (BTC, "1", "1", -4049),
        (XRP, "2000000", "1", -4050),
        (XRP, "1", "2", -4051),
    ],
)
def test_margin_is_refused(symbol: str, amount: str, kind: str, code: int) -> None:
    params = {"symbol": symbol, "amount": amount, "type": kind}
    assert isolated().refusal("account.positionMargin", **params) == code


def test_margin_needs_a_position() -> None:
    venue = isolated()
    venue.market("SELL", "1000", reduceOnly="true")
    params = {"symbol": XRP, "amount": "1", "type": "1"}
    assert venue.refusal("account.positionMargin", **params) == -4054


def test_hedge_mode_can_be_set_and_takes_no_orders_here() -> None:
    venue = Venue()
    assert venue.refusal("account.setPositionMode", dualSidePosition="false") == -4059
    venue.call("account.setPositionMode", dualSidePosition="true")
    assert venue.call("account.positionMode") == {"dualSidePosition": True}
    assert venue.call("account.config")["dualSidePosition"] is True
    params = {"symbol": XRP, "side": "BUY", "type": "MARKET", "quantity": "100"}
    assert venue.refusal("order.place", **params) == -4061


def test_modes_are_held_fast_by_orders_positions_and_isolation() -> None:
    venue = isolated()
    assert venue.refusal("account.setPositionMode", dualSidePosition="true") == -4068
    venue.limit("BUY", "100", "1.8000")
    assert venue.refusal("account.setPositionMode", dualSidePosition="true") == -4067
    assert venue.refusal("account.setAssetMode", multiAssetsMargin="true") == -4168
    assert venue.refusal("account.setAssetMode", multiAssetsMargin="false") == -4171


def test_the_asset_mode_is_told() -> None:
    venue = Venue()
    venue.call("account.setAssetMode", multiAssetsMargin="true")
    assert venue.events()[0]["ai"] == {"j": True}
    assert venue.call("account.config")["multiAssetsMargin"] is True


def test_income_lists_fees_and_profits_by_kind() -> None:
    venue = isolated()
    venue.price("2.0000")
    venue.market("SELL", "1000", reduceOnly="true")
    assert kinds(venue) == ["COMMISSION", "COMMISSION", "REALIZED_PNL"]
    [profit] = venue.call("account.income", incomeType="REALIZED_PNL")
    assert Decimal(profit["income"]) == 1_000 * (Decimal("1.9999") - Decimal("1.9001"))
    assert venue.call("account.income", symbol=BTC) == []
