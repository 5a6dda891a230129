"""Leverage set ahead of time: for the largest entry that a symbol may see."""

from __future__ import annotations

from decimal import Decimal

import attrs
import msgspec

from lowcap.core.caps import Cap, NoCap
from lowcap.core.money import Side
from lowcap.detection.matchers.payroll import PayrollMatch
from lowcap.detection.rules import Trigger
from lowcap.risk.leverage import plan_leverage, safe_leverage
from lowcap.settings import Settings, Sizing
from tests.risk.risk_kit import BTC, CONTRACTS, ETH, XRP, D, settings


def _settings(**sizing: object) -> Settings:
    base = settings(position_notional_usd_max=D(2_000_000))
    return attrs.evolve(base, sizing=Sizing(**sizing))  # type: ignore[arg-type]


def _trigger(usd: dict[str, Decimal]) -> Trigger:
    match = PayrollMatch(stream_id="x", rate="in-line", symbols=(ETH,), at_most=D(1))
    return Trigger(
        id="t", feeds=("f",), side=Side.BUY, matcher="payroll", key="k", match=match,
        notional_usd=usd,
    )  # fmt: skip


def _for(symbol: str, usd: int) -> int:
    return safe_leverage(CONTRACTS[symbol], D(usd), 20, D(2))


def test_without_a_table_the_default_or_the_symbols_own_amount() -> None:
    planned = plan_leverage(CONTRACTS, _settings(symbol_usd={BTC: D(1_500_000)}))
    assert planned == {
        BTC: _for(BTC, 1_500_000),
        ETH: _for(ETH, 14_567),
        XRP: _for(XRP, 14_567),
    }


def test_with_a_table_the_tier() -> None:
    caps: dict[str, Cap] = {BTC: D(10**12), ETH: D(10**11), XRP: NoCap.UNKNOWN}
    tiers = ((D(10**12), D(1_900_000)), (D(10**11), D(1_200_000)), (D(0), D(1)))
    planned = plan_leverage(
        CONTRACTS, _settings(tiers=tiers, unknown_usd=D(700_000)), caps.__getitem__
    )
    assert planned == {
        BTC: _for(BTC, 1_900_000),
        ETH: _for(ETH, 1_200_000),
        XRP: _for(XRP, 700_000),
    }
    assert planned[XRP] < _for(XRP, 14_567)  # the amounts do matter here


def test_the_largest_of_triggers_and_the_rest() -> None:
    made = _settings(scale=D("0.5"), unknown_usd=D(10_000))
    triggers = (_trigger({XRP: D(1_400_000)}), _trigger({XRP: D(20)}), _trigger({BTC: D(20)}))
    made = attrs.evolve(made, trigger=triggers)
    planned = plan_leverage(CONTRACTS, made, lambda symbol: NoCap.UNKNOWN)
    assert planned == {BTC: _for(BTC, 5_000), ETH: _for(ETH, 5_000), XRP: _for(XRP, 700_000)}


def test_no_more_than_a_position_may_be_and_trading_contracts_only() -> None:
    made = attrs.evolve(settings(), sizing=Sizing(symbol_usd={XRP: D(1_900_000)}))
    settling = msgspec.structs.replace(CONTRACTS[BTC], status="SETTLING")
    planned = plan_leverage({XRP: CONTRACTS[XRP], BTC: settling}, made)
    assert planned == {XRP: _for(XRP, 80_000)}
    assert _for(XRP, 80_000) > _for(XRP, 1_900_000)
