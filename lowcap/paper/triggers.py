"""When a conditional order of the simulated venue goes off (docs/venue.md §5)."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.money import HUNDRED, ZERO
from lowcap.paper.rules import Params, decimal_param
from lowcap.paper.state import PaperAlgo, PaperQuote, VenueError

TRAILING = "TRAILING_STOP_MARKET"
CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(20)
TRIGGER_PROTECT = Decimal("0.05")


def reached(kind: str, side: str, trigger: Decimal, price: Decimal) -> bool:
    """STOP: BUY at or above, SELL at or below; TAKE_PROFIT the other way round."""
    upwards = (side == "BUY") == kind.startswith("STOP")
    return price >= trigger if upwards else price <= trigger


def watched(quote: PaperQuote, working_type: str) -> Decimal:
    """The price that an order looks at."""
    return quote.mark if working_type == "MARK_PRICE" else quote.last


def is_due(algo: PaperAlgo, quote: PaperQuote) -> bool:
    """Whether an order goes off at a quote.

    With priceProtect it waits while mark and last differ by more than the
    symbol's triggerProtect.
    """
    if algo.price_protect and abs(quote.mark - quote.last) > quote.mark * TRIGGER_PROTECT:
        return False
    price = watched(quote, algo.working_type)
    if algo.type != TRAILING:
        return reached(algo.type, algo.side, algo.trigger_price, price)
    if not algo.activated:
        return False
    turn = algo.callback_rate / HUNDRED
    if algo.side == "BUY":
        return price >= algo.extreme * (1 + turn)
    return price <= algo.extreme * (1 - turn)


def follow(algo: PaperAlgo, quote: PaperQuote) -> bool:
    """Move a trailing order's extreme along with the price; whether it was activated by that."""
    price = watched(quote, algo.working_type)
    buys = algo.side == "BUY"
    if not algo.activated:
        if price > algo.activate_price if buys else price < algo.activate_price:
            return False
        algo.activated, algo.extreme = True, price
        return True
    algo.extreme = min(algo.extreme, price) if buys else max(algo.extreme, price)
    return False


def trailing_params(params: Params, side: str, latest: Decimal) -> tuple[Decimal, Decimal]:
    """Activation price (zero for at once) and callback rate in per cent of a trailing order.

    Raises:
        VenueError: -1102 for a rate out of range, -2021 where the activation
            price is on the wrong side of the latest.
    """
    rate = decimal_param(params, "callbackRate")
    if not CALLBACK_MIN <= rate <= CALLBACK_MAX:
        raise VenueError(-1102, "Mandatory parameter 'callbackRate' was malformed.")
    name = next((n for n in ("activatePrice", "activationPrice") if params.get(n)), "")
    if not name:
        return ZERO, rate
    price = decimal_param(params, name)
    if price <= ZERO or (price >= latest if side == "BUY" else price <= latest):
        raise VenueError(-2021, "Order would immediately trigger.")
    return price, rate
