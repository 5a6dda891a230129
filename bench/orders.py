"""Preparing one order: fill the template, sign, make the frame; beside the plain way.

    python -m bench.orders [--json FILE]

The plain way is a dict of parameters, ``urlencode`` of it sorted, ``hmac.new``
or the same Ed25519 key, and ``json.dumps``. All ways take the same orders in
turn, in one process. Writing to the connection is not part of it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lowcap.binance.sign import Ed25519Signer, HmacSigner, Signer
from lowcap.binance.templates import Templates
from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose
from lowcap.core.money import Side

AT_MS = 1_795_300_000_000
ROUNDS, PER_ROUND = 40, 500
API_KEY, SECRET = "bench-key", "bench-secret"
Way = Callable[[OrderIntended, int], bytes]


def orders() -> list[OrderIntended]:
    """Entries as the desk plans them, each with figures of its own."""
    chance = random.Random(7)
    return [
        OrderIntended(
            client_id=f"lcd-1-{number}-e",
            symbol=chance.choice(["KAITOUSDT", "1000PEPEUSDT", "SUIUSDT"]),
            side=chance.choice(list(Side)),
            purpose=Purpose.ENTRY,
            type="LIMIT",
            leg="e",
            recv_window_ms=1_000,
            timestamp_ms=AT_MS,
            qty=Decimal(chance.randint(1, 99_999)) / 10,
            price=Decimal(chance.randint(1, 9_999_999)) / 10_000,
        )
        for number in range(PER_ROUND)
    ]


def prepared(templates: Templates, signer: Signer | None) -> Way:
    """Our own way; without a signer as on a connection that has logged on."""

    def prepare(order: OrderIntended, number: int) -> bytes:
        return templates.of(order).fill(order, number, AT_MS, signer)

    return prepare


def plain(sign: Callable[[bytes], str] | None) -> Way:
    """A dict, its text sorted and encoded, a signature, and ``json.dumps``."""

    def prepare(order: OrderIntended, number: int) -> bytes:
        params: dict[str, Any] = {
            "symbol": order.symbol,
            "side": order.side.value,
            "type": order.type,
            "timeInForce": "IOC",
            "quantity": str(order.qty),
            "price": str(order.price),
            "newClientOrderId": order.client_id,
            "newOrderRespType": "RESULT",
            "recvWindow": order.recv_window_ms,
            "timestamp": AT_MS,
        }
        if sign is not None:
            params["apiKey"] = API_KEY
            params["signature"] = sign(urlencode(sorted(params.items())).encode())
        request = {"id": number, "method": "order.place", "params": params}
        return json.dumps(request).encode()

    return prepare


def ways() -> dict[str, Way]:
    """Three kinds of authentication, each both ways."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    templates = Templates(API_KEY)
    templates.prepare(["KAITOUSDT", "1000PEPEUSDT", "SUIUSDT"])

    def hmac_sign(text: bytes) -> str:
        return hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()

    def ed25519_sign(text: bytes) -> str:
        return base64.b64encode(key.sign(text)).decode()

    return {
        "HMAC, lowcap": prepared(templates, HmacSigner(API_KEY, SECRET)),
        "HMAC, plain": plain(hmac_sign),
        "Ed25519 per order, lowcap": prepared(templates, Ed25519Signer(API_KEY, pem)),
        "Ed25519 per order, plain": plain(ed25519_sign),
        "logged on, lowcap": prepared(templates, None),
        "logged on, plain": plain(None),
    }


def measure() -> dict[str, list[float]]:
    """Microseconds of every single order, the ways taking turns."""
    each, planned = ways(), orders()
    taken: dict[str, list[float]] = {name: [] for name in each}
    for warm_up in (True, *[False] * ROUNDS):
        for name, prepare in each.items():
            for number, order in enumerate(planned):
                start_ns = time.perf_counter_ns()
                prepare(order, number)
                end_ns = time.perf_counter_ns()
                if not warm_up:
                    taken[name].append((end_ns - start_ns) / 1_000)
    return taken


def run() -> dict[str, Any]:
    """Everything that is printed."""
    rows = {}
    for name, values in measure().items():
        values.sort()
        rows[name] = {
            "p50": round(statistics.median(values), 2),
            "p99": round(values[int(len(values) * 0.99)], 2),
        }
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "orders": ROUNDS * PER_ROUND,
        "us": rows,
    }


def show(result: dict[str, Any]) -> None:
    """The table."""
    print(f"preparing {result['orders']} orders, {result['machine']}; microseconds each")
    print(f"{'':<28}{'p50':>8}{'p99':>8}")
    for name, row in result["us"].items():
        print(f"{name:<28}{row['p50']:>8.2f}{row['p99']:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = run()
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
