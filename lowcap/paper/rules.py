"""What the simulated venue refuses, with the code it refuses it with.

Section numbers are those of the protocol reference in docs/venue.md.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO
from lowcap.paper.state import VenueError

Params = dict[str, Any]

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
    try:
        value = Decimal(raw)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.")
    return value


def int_param(params: Params, name: str) -> int:
    """A mandatory whole number."""
    try:
        return int(text_param(params, name))
    except ValueError:
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.") from None


def side_param(params: Params) -> str:
    """BUY or SELL, else -1117."""
    side = text_param(params, "side")
    if side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    if params.get("positionSide", "BOTH") != "BOTH":
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    return side


def client_id_param(params: Params, name: str, fallback: str) -> str:
    """A client id of the allowed set and length (§5), else -4015."""
    client_id = str(params.get(name) or fallback)
    if _CLIENT_ID.match(client_id) is None:
        raise VenueError(-4015, "Client order id is not valid.")
    return client_id


def check_price(contract: Contract, price: Decimal, side: str, mark: Decimal) -> None:
    """PRICE_FILTER and PERCENT_PRICE (§4, filters)."""
    if price <= ZERO:
        raise VenueError(-4001, "Price less than 0.")
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
