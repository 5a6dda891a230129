"""Account and market calls of the simulated venue: shapes, figures, settings (docs/venue.md §4)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from paper_kit import BTC, DOGE, T0, XRP, Venue, algo, order

from lowcap.paper.contracts import ladder


def _words(text: str) -> set[str]:
    return set(text.split())


POSITION_V3 = _words(
    "symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit "
    "liquidationPrice isolatedMargin notional marginAsset isolatedWallet initialMargin maintMargin "
    "positionInitialMargin openOrderInitialMargin adl bidNotional askNotional updateTime"
)
BALANCE_V3 = _words(
    "accountAlias asset balance crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount "
    "marginAvailable updateTime"
)
ACCOUNT_V3 = _words(
    "totalInitialMargin totalMaintMargin totalWalletBalance totalUnrealizedProfit "
    "totalMarginBalance totalPositionInitialMargin totalOpenOrderInitialMargin "
    "totalCrossWalletBalance totalCrossUnPnl availableBalance maxWithdrawAmount assets "
    "positions"
)
ASSET_V3 = _words(
    "asset walletBalance unrealizedProfit marginBalance maintMargin initialMargin "
    "positionInitialMargin openOrderInitialMargin crossWalletBalance crossUnPnl availableBalance "
    "maxWithdrawAmount updateTime"
)
TRADE = _words(
    "id orderId symbol pair side positionSide price qty quoteQty baseQty realizedPnl marginAsset "
    "commission commissionAsset buyer maker time"
)


@pytest.fixture
def venue() -> Venue:
    return Venue(wallet=Decimal(10_000))


def test_positions_in_both_forms(venue: Venue) -> None:
    """§4: v3 lists what is held or has orders; v2 everything, with leverage and margin type."""
    assert venue.call("account.position") == []
    venue.market("BUY", "100")
    venue.limit("BUY", "1000", "0.14", symbol=DOGE)
    venue.price("2.0")
    doge, xrp = venue.call("account.position")
    assert (doge["symbol"], xrp["symbol"]) == (DOGE, XRP)
    assert set(xrp) == POSITION_V3
    assert Decimal(xrp["unRealizedProfit"]) == 100 * (Decimal("2.0") - Decimal("1.9001"))
    assert Decimal(xrp["initialMargin"]) == 10
    assert Decimal(xrp["isolatedWallet"]) == 0
    everything = venue.call("account.positionV2")
    assert len(everything) == len(venue.exchange.contracts)
    (row,) = venue.call("account.positionV2", symbol=XRP)
    assert (row["leverage"], row["marginType"]) == ("20", "cross")
    assert Decimal(row["positionAmt"]) == 100


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("isolated", [True, False])
def test_liquidation_price_is_where_the_margin_is_used_up(
    venue: Venue, side: str, isolated: bool
) -> None:
    """§4, account arithmetic: margin balance equals maintenance margin there."""
    if isolated:
        venue.call("account.marginType", symbol=XRP, marginType="ISOLATED")
    venue.market(side, "50000")
    venue.market("BUY", "30000", DOGE)
    (row,) = venue.call("account.position", symbol=XRP)
    (other,) = venue.call("account.position", symbol=DOGE)
    price, size = Decimal(row["liquidationPrice"]), Decimal(row["positionAmt"])
    wallet = venue.exchange.state.wallet
    backing = wallet + Decimal(other["unRealizedProfit"]) - Decimal(other["maintMargin"])
    if isolated:
        backing = Decimal(row["isolatedWallet"])
    bracket = next(b for b in ladder("other") if abs(Decimal(row["notional"])) <= b.notional_cap)
    balance = backing + size * (price - Decimal(row["entryPrice"]))
    maintenance = abs(size) * price * bracket.maint_margin_ratio - bracket.cum
    assert abs(balance - maintenance) < Decimal("0.001")
    assert (price < Decimal("1.9")) == (side == "BUY")


def test_balance_and_account_shapes(venue: Venue) -> None:
    """§4: field sets, and the sums that belong together."""
    venue.market("BUY", "1000")
    (balance,) = venue.call("account.balance")
    account = venue.call("account.status")
    assert set(balance) == BALANCE_V3
    assert set(account) == ACCOUNT_V3
    assert set(account["assets"][0]) == ASSET_V3
    wallet, profit = (Decimal(account[f"total{n}"]) for n in ("WalletBalance", "UnrealizedProfit"))
    assert Decimal(account["totalMarginBalance"]) == wallet + profit
    margin = Decimal(account["totalInitialMargin"])
    assert Decimal(balance["availableBalance"]) == wallet + profit - margin
    assert account["positions"][0]["unrealizedProfit"] == balance["crossUnPnl"]


def test_leverage(venue: Venue) -> None:
    """§4: the reply, the ACCOUNT_CONFIG_UPDATE, -4028, -4161 and -2027."""
    reply = venue.call("account.leverage", symbol=XRP, leverage=10)
    assert (reply["leverage"], type(reply["maxNotionalValue"])) == (10, str)
    (event,) = venue.events()
    assert (event["e"], event["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": XRP, "l": 10})
    for wrong in (0, 1_000):
        assert venue.refusal("account.leverage", symbol=XRP, leverage=wrong) == -4028
    assert venue.refusal("account.leverage", symbol=XRP, leverage="1.5") == -1102
    venue.call("account.marginType", symbol=XRP, marginType="ISOLATED")
    venue.market("BUY", "20000")
    assert venue.refusal("account.leverage", symbol=XRP, leverage=5) == -4161
    top = venue.exchange.contracts[XRP].brackets[0]
    assert top.notional_cap < 20_000 * Decimal("1.9")
    assert venue.refusal("account.leverage", symbol=XRP, leverage=top.leverage) == -2027


def test_margin_type(venue: Venue) -> None:
    """§4, §9: -4046, -4047, -4048; §10.12: the change is told by ACCOUNT_UPDATE."""
    assert venue.refusal("account.marginType", symbol=XRP, marginType="CROSSED") == -4046
    assert venue.refusal("account.marginType", symbol=XRP, marginType="OTHER") == -1102
    reply = venue.call("account.marginType", symbol=XRP, marginType="ISOLATED")
    assert reply == {"code": 200, "msg": "success"}
    (event,) = venue.events()
    assert (event["a"]["m"], event["a"]["P"][0]["mt"]) == ("MARGIN_TYPE_CHANGE", "isolated")
    (row,) = venue.call("account.symbolConfig", symbol=XRP)
    assert row["marginType"] == "ISOLATED"
    venue.limit("BUY", "100", "1.8")
    assert venue.refusal("account.marginType", symbol=XRP, marginType="CROSSED") == -4047
    venue.call("order.cancelAll", symbol=XRP)
    venue.market("BUY", "100")
    assert venue.refusal("account.marginType", symbol=XRP, marginType="CROSSED") == -4048
    fills = [e for e in venue.events() if e["e"] == "ACCOUNT_UPDATE"]
    assert Decimal(fills[-1]["a"]["P"][0]["iw"]) == Decimal("9.5005")


def test_modes_are_one_way_and_single_asset(venue: Venue) -> None:
    assert venue.call("account.positionMode") == {"dualSidePosition": False}
    assert venue.call("account.assetMode") == {"multiAssetsMargin": False}
    config = venue.call("account.config")
    assert (config["dualSidePosition"], config["multiAssetsMargin"]) == (False, False)


def test_trades_are_paged_from_an_id_or_a_time(venue: Venue) -> None:
    """§4: the newest by default, forwards from fromId or startTime; an id excludes times."""
    for _ in range(5):
        venue.market("BUY", "10")
        venue.tick()
    rows = venue.call("account.trades", symbol=XRP)
    assert set(rows[0]) == TRADE
    ids = [row["id"] for row in rows]
    assert [r["id"] for r in venue.call("account.trades", symbol=XRP, limit=2)] == ids[-2:]
    page = venue.call("account.trades", symbol=XRP, fromId=ids[1], limit=2)
    assert [r["id"] for r in page] == ids[1:3]
    page = venue.call("account.trades", symbol=XRP, startTime=T0 + 1_000, limit=2)
    assert [r["id"] for r in page] == ids[1:3]
    page = venue.call("account.trades", symbol=XRP, endTime=T0)
    assert [r["id"] for r in page] == ids[:1]
    assert [
        r["orderId"] for r in venue.call("account.trades", symbol=XRP, orderId=rows[3]["orderId"])
    ] == [rows[3]["orderId"]]
    assert venue.refusal("account.trades", symbol=XRP, fromId=1, startTime=T0) == -1128
    assert venue.refusal("account.trades", symbol=XRP, fromId="x") == -1102


def test_exchange_info_row(venue: Venue) -> None:
    """§4: filters by type; pricePrecision is a maximum of digits, not the tick."""
    info = venue.call("market.exchangeInfo")
    row = next(r for r in info["symbols"] if r["symbol"] == BTC)
    filters = {f["filterType"]: f for f in row["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert (row["pricePrecision"], row["quantityPrecision"]) == (2, 3)
    assert filters["MIN_NOTIONAL"]["notional"] == "50"
    assert filters["MAX_NUM_ORDERS"]["limit"] == 200
    assert "MAX_NUM_ALGO_ORDERS" not in filters
    assert (row["contractType"], row["status"]) == ("PERPETUAL", "TRADING")
    assert (row["deliveryDate"], len(row["orderTypes"])) == (4133404800000, 7)
    limits = {(r["rateLimitType"], r["interval"]): r["limit"] for r in info["rateLimits"]}
    assert limits == {
        ("REQUEST_WEIGHT", "MINUTE"): 2400,
        ("ORDERS", "MINUTE"): 1200,
        ("ORDERS", "SECOND"): 300,
    }


def test_leverage_brackets(venue: Venue) -> None:
    """§4: cumulative amounts follow from ratios and floors; BTC as sampled."""
    (row,) = venue.call("market.brackets", symbol=BTC)
    rows = row["brackets"]
    assert [r["initialLeverage"] for r in rows[:4]] == [150, 100, 75, 50]
    assert [r["cum"] for r in rows[:4]] == [0, 300, 1_500, 12_000]
    for before, after in pairwise(rows):
        rise = after["notionalFloor"] * (after["maintMarginRatio"] - before["maintMarginRatio"])
        assert after["cum"] == before["cum"] + rise
        assert after["notionalFloor"] == before["notionalCap"]


def test_tickers_and_premium_index(venue: Venue) -> None:
    """§4: an object for one symbol, an array for all; funding every eight hours."""
    for name in ("ticker.book", "ticker.price", "market.premiumIndex"):
        assert venue.call(name, symbol=XRP)["symbol"] == XRP
        assert len(venue.call(name)) == len(venue.exchange.contracts)
        assert venue.refusal(name, symbol="NOPEUSDT") == -1121
    index = venue.call("market.premiumIndex", symbol=XRP)
    assert index["nextFundingTime"] % (8 * 3_600_000) == 0
    assert 0 < index["nextFundingTime"] - T0 <= 8 * 3_600_000
    book = venue.call("ticker.book", symbol=XRP)
    assert Decimal(book["bidPrice"]) < Decimal(book["askPrice"])
    assert venue.call("market.time") == {"serverTime": T0}
    assert venue.call("market.ping") == {}


def test_listen_key_lives_an_hour_and_is_told_once(venue: Venue) -> None:
    """§6: one key, renewed by POST and PUT; -1125 once it is gone."""
    assert venue.refusal("userDataStream.ping") == -1125
    key = venue.call("userDataStream.start")["listenKey"]
    assert len(key) == 64
    venue.tick(3_000_000)
    assert venue.call("userDataStream.start")["listenKey"] == key
    venue.tick(3_500_000)
    assert venue.call("userDataStream.ping")["listenKey"] == key
    assert venue.exchange.take_expired_key() is None
    venue.tick(3_600_000)
    assert venue.refusal("userDataStream.ping") == -1125
    assert venue.exchange.take_expired_key() == key
    assert venue.exchange.take_expired_key() is None
    renewed = venue.call("userDataStream.start")["listenKey"]
    assert renewed != key
    assert venue.call("userDataStream.stop") == {}
    assert venue.refusal("userDataStream.ping") == -1125
    assert venue.call("userDataStream.start")["listenKey"] not in {key, renewed}


def test_refuse_fault_answers_with_its_code(venue: Venue) -> None:
    venue.faults(refuse={"order.place": -1008, "algoOrder.place": -1007})
    assert venue.refusal("order.place", **order("BUY", "10")) == -1008
    assert venue.refusal("algoOrder.place", **algo("BUY", "2", quantity="10")) == -1007
    venue.faults()
    venue.market("BUY", "10")
