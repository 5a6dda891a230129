"""Whatever a client sends, the simulated venue answers or refuses; it never breaks."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_kit import XRP, Venue

from lowcap.paper.paths import PATHS
from lowcap.paper.state import VenueError

METHODS = sorted({method for method, _, _ in PATHS.values()})
VALUES = st.sampled_from(
    [
        "", "0", "1", "-1", "10", "100", "1.8", "1.80005", "2.1", "1e-9", "1e99", "9" * 19, "true",
        "x", "BUY", "SELL", "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TRAILING_STOP_MARKET",
        "GTC", "GTD", "1m", "1M", "CONDITIONAL", "ISOLATED", "[]", "[1]", '["a"]', "[{}]", "{",
        '[{"symbol":"XRPUSDT","side":"BUY","type":"MARKET","quantity":100}]', "\u6d4b", "NaN",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "side", "type", "quantity", "price", "timeInForce", "reduceOnly", "closePosition",
        "orderId", "origClientOrderId", "newClientOrderId", "algoType", "triggerPrice", "algoId",
        "clientAlgoId", "callbackRate", "activatePrice", "goodTillDate", "batchOrders",
        "orderIdList", "countdownTime", "interval", "limit", "startTime", "endTime", "fromId",
        "leverage", "marginType", "amount", "dualSidePosition", "multiAssetsMargin", "modifyId",
        "autoCloseType", "incomeType", "workingType", "positionSide",
    ]
)  # fmt: skip
CALLS = st.tuples(
    st.sampled_from(METHODS),
    st.sampled_from([{}, {"symbol": XRP}, {"symbol": "NOSUCHUSDT"}]),
    st.dictionaries(NAMES, VALUES, max_size=8),
)
PRICES = st.sampled_from(["1.7", "1.85", "1.9", "2.05"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CALLS, max_size=12), PRICES)
def test_any_parameters_are_answered_or_refused(
    calls: list[tuple[str, dict[str, str], dict[str, str]]], price: str
) -> None:
    venue = Venue()
    venue.market("BUY", "100")
    for method, symbol, params in calls:
        with suppress(VenueError):
            venue.call(method, **symbol, **params)
    venue.price(price)
    assert venue.exchange.book.available_balance() >= 0
