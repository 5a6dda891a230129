"""What the simulated venue refuses, with the code it refuses it with.

Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO
from lowcap.paper.state import VenueError

Params = dict[str, Any]

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?\Z")
_WHOLE = re.compile(r"-?[0-9]{1,19}\Z")
OPEN_ORDERS_MAX = 200
GOOD_TILL_AHEAD_MS = 600_000
GOOD_TILL_MAX_MS = 253_402_300_799_000
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")
CONDITIONAL_TYPES = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)


def text_param(params: Params, name: str, default: str | None = None) -> str:
    """A parameter as text; a missing one without default is -1102 (§9)."""
    value = params.get(name, default)
    if value is None or value == "":
        raise VenueError(
            -1102,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return str(value)


def flag_param(params: Params, name: str) -> bool:
    """A "true"/"false" parameter, JSON booleans accepted."""
    value = str(params.get(name, "false")).lower()
    if value not in {"true", "false"}:
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.")
    return value == "true"


def decimal_param(params: Params, name: str) -> Decimal:
    """A mandatory decimal; JSON numbers are accepted too (§2)."""
    raw = text_param(params, name)
    if _DECIMAL.match(raw) is None:
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.")
    return Decimal(raw)


def int_param(params: Params, name: str, default: int | None = None) -> int:
    """A whole number; mandatory without ``default``."""
    raw = text_param(params, name, None if default is None else str(default))
    if _WHOLE.match(raw) is None:
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.")
    return int(raw)


def side_param(params: Params) -> str:
    """BUY or SELL, else -1117; positionSide only BOTH, else -4061."""
    side = text_param(params, "side")
    if side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    if params.get("positionSide", "BOTH") != "BOTH":
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    return side


def good_till_param(params: Params, time_in_force: str, now_ms: int) -> int:
    """When a GTD order ends, in whole seconds: more than ten minutes ahead, else -5040 (§5)."""
    if time_in_force != "GTD":
        return 0
    until_ms = int_param(params, "goodTillDate", 0)
    if not now_ms + GOOD_TILL_AHEAD_MS < until_ms < GOOD_TILL_MAX_MS:
        raise VenueError(-5040, "goodTillDate is not valid.")
    return until_ms // 1_000 * 1_000


def client_id_param(params: Params, name: str, fallback: str) -> str:
    """A client id of the allowed set and length (§5), else -4015."""
    client_id = str(params.get(name) or fallback)
    if _CLIENT_ID.match(client_id) is None:
        raise VenueError(-4015, "Client order id is not valid.")
    return client_id


def price_decimals_max(contract: Contract) -> int:
    """pricePrecision: finer than the tick, since it is a maximum of digits and no grid (§4)."""
    return _decimals(contract.tick) + 1


def qty_decimals_max(contract: Contract) -> int:
    """How many decimals a quantity may have: quantityPrecision (§4)."""
    return _decimals(contract.step)


def _decimals(value: Decimal) -> int:
    return max(-int(value.normalize().as_tuple().exponent), 0)


def _check_decimals(value: Decimal, decimals_max: int) -> None:
    if value and _decimals(value) > decimals_max:
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")


def check_price(contract: Contract, price: Decimal, side: str, mark: Decimal) -> None:
    """PRICE_FILTER and PERCENT_PRICE (§4, filters)."""
    if price <= ZERO:
        raise VenueError(-4001, "Price less than 0.")
    _check_decimals(price, price_decimals_max(contract))
    if price < contract.price_min:
        raise VenueError(-4013, "Price less than min price.")
    if price > contract.price_max:
        raise VenueError(-4002, "Price greater than max price.")
    if (price - contract.price_min) % contract.tick:
        raise VenueError(-4014, "Price not increased by tick size.")
    if side == "BUY" and price > mark * contract.price_up:
        raise VenueError(-4016, "Limit price can't be higher than the cap.")
    if side == "SELL" and price < mark * contract.price_down:
        raise VenueError(-4024, "Limit price can't be lower than the floor.")


def check_qty(contract: Contract, qty: Decimal, *, market: bool) -> None:
    """LOT_SIZE or MARKET_LOT_SIZE (§4, filters)."""
    if qty <= ZERO:
        raise VenueError(-4003, "Quantity less than or equal to zero.")
    _check_decimals(qty, qty_decimals_max(contract))
    if qty < contract.qty_min:
        raise VenueError(-4004, "Quantity less than min quantity.")
    if qty > (contract.market_qty_max if market else contract.qty_max):
        raise VenueError(-4005, "Quantity greater than max quantity.")
    if (qty - contract.qty_min) % contract.step:
        raise VenueError(-4023, "Quantity not increased by step size.")


def check_notional(contract: Contract, qty: Decimal, price: Decimal) -> None:
    """MIN_NOTIONAL (§4); reduce-only and close-position orders are exempt."""
    if qty * price < contract.notional_min:
        raise VenueError(
            -4164,
            f"Order's notional must be no smaller than {contract.notional_min} "
            "(unless you choose reduce only).",
        )
