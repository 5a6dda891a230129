"""Money: rounding by its named direction, and a decimal reader that takes plain digits only."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lowcap.core.money import (
    Side,
    decimal_from_wire,
    floor_to_step,
    limit_inside_collar,
    percent_of,
    price_to_tick,
    stop_to_tick,
    wire,
)

STEPS = st.sampled_from([Decimal(t) for t in ("1", "0.1", "0.001", "0.00001", "10", "0.5", "2.5")])
AMOUNTS = st.decimals("0", "100000000", places=8, allow_nan=False, allow_infinity=False)
PRICES = st.decimals("0.0000001", "1000000", places=7, allow_nan=False, allow_infinity=False)


@given(AMOUNTS, STEPS)
def test_a_quantity_never_grows_and_lies_on_the_step(qty: Decimal, step: Decimal) -> None:
    floored = floor_to_step(qty, step)
    assert 0 <= floored <= qty
    assert floored % step == 0
    assert qty - floored < step
    assert floor_to_step(floored, step) == floored


@given(PRICES, STEPS)
def test_prices_move_to_the_grid_in_the_direction_named(price: Decimal, tick: Decimal) -> None:
    up, down = price_to_tick(price, tick, up=True), price_to_tick(price, tick, up=False)
    assert down <= price <= up
    assert up % tick == 0
    assert down % tick == 0
    assert up - down in (0, tick)


@given(PRICES, STEPS)
def test_an_entry_limit_never_leaves_the_collar(price: Decimal, tick: Decimal) -> None:
    assert limit_inside_collar(price, tick, Side.BUY) <= price
    assert limit_inside_collar(price, tick, Side.SELL) >= price


@given(PRICES, STEPS)
def test_a_stop_is_never_further_away_than_decided(price: Decimal, tick: Decimal) -> None:
    assert stop_to_tick(price, tick, 1) >= price
    assert stop_to_tick(price, tick, -1) <= price


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**15)))
def test_what_is_written_is_read_back(value: Decimal) -> None:
    assume(abs(value) < 10**15)
    assert decimal_from_wire(wire(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e5", "1E-8", "0E-8", "+1", "-"),
        *("", " 1", "1 ", "1\n", "\n1", "1_000", "1,5", ".5", "5.", "--1", "0x10", "1.2.3", "½"),
        *("١٢", "１", "²", "1\u00a0", "1\x00", "9" * 31, f"1.{'9' * 31}"),
    ],
)
def test_odd_numerals_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        decimal_from_wire(text)


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    try:
        value = decimal_from_wire(text)
    except ValueError:
        return
    assert value.is_finite()
    assert text.isascii()
    assert set(text) <= set("-.0123456789")


def test_small_words() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert percent_of(Decimal(200), Decimal("1.5")) == Decimal(3)
    assert wire(Decimal("1E+3")) == "1000"
    assert wire(Decimal("0.00000001")) == "0.00000001"
