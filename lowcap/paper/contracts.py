"""The simulator's listed contracts: plausible grids and limits, invented prices.

Names and scaling follow the real venue (docs/venue.md §10.9); prices are round
starting points for the random walk and mean nothing.
"""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.contract import Contract, LeverageBracket
from lowcap.core.money import ZERO

# base asset, starting price in USDT, price decimals, quantity decimals
_LISTED = """
BTC 68000 1 3|ETH 2400 2 3|BNB 640 2 2|SOL 150 2 0|XRP 1.9 4 1|DOGE 0.15 5 0|ADA 0.5 4 0
TRX 0.28 5 0|AVAX 21 3 0|LINK 15 3 2|DOT 4.1 3 1|LTC 92 2 3|BCH 510 2 3|XLM 0.27 5 0
UNI 7.8 3 0|ATOM 4.6 3 2|ETC 18 3 2|NEAR 2.4 3 0|APT 5.3 4 1|ARB 0.35 4 1|OP 0.62 4 1
FIL 2.6 3 1|SUI 3.2 4 1|INJ 12.5 3 1|TIA 2.1 4 0|SEI 0.21 4 0|AAVE 190 2 1|MKR 1700 1 3
CRV 0.62 3 1|LDO 0.9 4 0|COMP 45 2 3|SNX 0.7 3 1|SUSHI 0.66 4 0|1INCH 0.24 4 0|DYDX 0.6 3 1
GMX 15 2 2|PENDLE 4.2 4 0|ENA 0.42 4 0|ETHFI 1.2 3 1|EIGEN 1.5 4 1|STRK 0.15 4 1|ZK 0.06 5 0
W 0.09 4 1|JUP 0.5 4 0|PYTH 0.14 4 0|JTO 2.1 4 0|RAYSOL 2.6 4 1|WIF 0.9 4 1|POPCAT 0.4 4 0
1000PEPE 0.011 7 0|1000SHIB 0.0125 6 0|1000BONK 0.021 6 0|1000FLOKI 0.09 5 0|1000LUNC 0.06 5 0
1000SATS 0.00004 7 0|1000RATS 0.03 5 0|1000CAT 0.009 5 0|1000CHEEMS 0.0012 6 0|1000XEC 0.02 5 0
1000WHY 0.00005 7 0|1000X 0.03 5 0|1000000MOG 0.95 4 1|1MBABYDOGE 0.0013 7 0|MEME 0.003 6 0
BOME 0.0022 6 0|TURBO 0.004 7 0|PEOPLE 0.018 5 0|MEW 0.003 6 0|BRETT 0.06 5 0|NEIRO 0.0004 7 0
NEIROETH 0.02 5 0|GOAT 0.15 5 0|PNUT 0.21 5 0|ACT 0.05 5 0|MOODENG 0.1 5 0|FARTCOIN 1.1 4 1
TRUMP 9.4 3 2|MELANIA 0.3 3 1|WLFI 0.2 4 0|HYPE 38 3 2|ONDO 0.9 4 1|RENDER 3.9 3 1|FET 0.66 4 0
TAO 340 2 3|WLD 0.9 4 0|ARKM 0.55 4 0|AI 0.12 5 0|IO 0.75 3 1|GRT 0.09 5 0|AR 6.1 3 1|THETA 0.8 4 1
HBAR 0.18 5 0|ALGO 0.19 4 1|VET 0.023 5 0|ICP 5.2 3 0|EGLD 15 3 1|XTZ 0.6 3 1|EOS 0.6 3 1
QTUM 2.1 3 1|NEO 5.9 3 2|ZEC 45 2 3|DASH 22 2 3|XMR 320 2 3|ZEN 9 3 1|KSM 16 2 1|WAVES 1.1 4 1
IOTA 0.17 4 1|ONT 0.15 4 1|ZIL 0.011 5 0|ENJ 0.07 5 0|CHZ 0.04 5 0|SAND 0.27 4 0|MANA 0.28 4 0
AXS 2.4 3 0|GALA 0.016 5 0|IMX 0.55 4 0|APE 0.6 4 0|FLOW 0.36 3 1|BLUR 0.09 4 0|MASK 1.3 4 0
ENS 20 3 1|STX 0.7 4 0|ORDI 8 3 1|RUNE 1.3 3 0|KAVA 0.42 4 1|ROSE 0.027 5 0|CELO 0.3 3 1
ONE 0.011 5 0|ANKR 0.015 5 0|SKL 0.02 5 0|STORJ 0.25 4 0|API3 0.7 4 1|BAND 0.65 4 1|TRB 45 3 1
UMA 1.2 3 0|GLM 0.3 4 0
KNC 0.35 4 0|BAT 0.14 4 1|ZRX 0.24 4 1|LRC 0.09 5 0|BAL 1.1 3 1|YFI 5200 0 3|SUN 0.02 6 0
JST 0.04 5 0|GAS 3 3 1|HOT 0.001 6 0|SUPER 0.6 4 0|BIGTIME 0.06 5 0|GMT 0.05 5 0|HIGH 0.5 4 1
ID 0.17 4 0|CYBER 1.3 3 1|MAV 0.06 4 0|ARPA 0.02 5 0|LUNA2 0.17 4 0|RONIN 0.5 4 1|BEAMX 0.006 6 0
DODOX 0.05 6 0|POL 0.22 4 0|S 0.4 4 0|BERA 2 3 1|KAITO 1.2 4 1|IP 4 4 1|LAYER 0.7 4 1|ME 0.9 4 1
MOVE 0.15 4 1|VIRTUAL 1.4 4 1|AIXBT 0.13 5 0|GRIFFAIN 0.05 5 0|NOT 0.0018 6 0|CATI 0.08 4 1
HMSTR 0.0008 7 0|DOGS 0.00014 7 0|ZRO 1.8 4 1|G 0.012 5 0|LISTA 0.2 4 0|OMNI 2.2 4 1|SAGA 0.25 4 1
"""

_LADDERS: dict[str, str] = {
    # leverage, notional cap in USDT, maintenance margin ratio (docs/venue.md §4)
    "major": "150 300000 0.004|100 800000 0.005|75 3000000 0.0065|50 12000000 0.01"
    "|25 70000000 0.02|20 100000000 0.025|10 230000000 0.05|5 480000000 0.1|1 1800000000 0.5",
    "other": "75 20000 0.0065|50 200000 0.01|40 300000 0.015|25 1500000 0.02|20 3000000 0.025"
    "|10 6000000 0.05|5 15000000 0.1|1 30000000 0.5",
}


def ladder(kind: str) -> tuple[LeverageBracket, ...]:
    """A leverage ladder with its cumulative amounts (docs/venue.md §4, leverageBracket)."""
    brackets: list[LeverageBracket] = []
    floor, ratio_before, cum = ZERO, ZERO, ZERO
    for row in _LADDERS[kind].split("|"):
        leverage, cap, ratio = row.split()
        cum += floor * (Decimal(ratio) - ratio_before) if brackets else ZERO
        brackets.append(
            LeverageBracket(
                leverage=int(leverage),
                notional_cap=Decimal(cap),
                notional_floor=floor,
                maint_margin_ratio=Decimal(ratio),
                cum=cum,
            )
        )
        floor, ratio_before = Decimal(cap), Decimal(ratio)
    return tuple(brackets)


def listed_contracts() -> dict[str, tuple[Contract, Decimal]]:
    """Every listed contract with its starting price, by symbol."""
    return {
        contract.symbol: (contract, price)
        for row in _LISTED.strip().replace("\n", "|").split("|")
        for contract, price in [_contract(*row.split())]
    }


def _contract(
    base: str, price: str, price_decimals: str, qty_decimals: str
) -> tuple[Contract, Decimal]:
    start = Decimal(price)
    tick = Decimal(1).scaleb(-int(price_decimals))
    step = Decimal(1).scaleb(-int(qty_decimals))
    # Large enough for the book's biggest orders, on the step grid.
    qty_max = (Decimal(20_000_000) / start / step).to_integral_value() * step
    major = base in {"BTC", "ETH"}
    return (
        Contract(
            symbol=f"{base}USDT",
            base=base,
            status="TRADING",
            tick=tick,
            price_min=tick,
            price_max=(start * 60 / tick).to_integral_value() * tick,
            step=step,
            qty_min=step,
            qty_max=max(qty_max, step),
            market_qty_max=max((qty_max / 5 / step).to_integral_value() * step, step),
            notional_min=Decimal(50 if base == "BTC" else 20 if base == "ETH" else 5),
            price_up=Decimal("1.0500") if major else Decimal("1.1500"),
            price_down=Decimal("0.9500") if major else Decimal("0.8500"),
            brackets=ladder("major" if major else "other"),
        ),
        start,
    )
