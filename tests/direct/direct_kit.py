"""An exchange as a process of its own, and a blocking hand at it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lowcap.binance.seen import snapshot_from
from lowcap.binance.sign import read_signer
from lowcap.binance.wire import AlgoView, OrderView, PositionRow
from lowcap.core.account import Snapshot
from lowcap.core.venuefile import VenueFile, leave_venue_file
from lowcap.direct.road import Road
from tests.long.rig import running


class Ground:
    """The exchange's address and key, and the folder where a daemon would have left word."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self.folder = folder
        self.urls = urls
        self.url = urls["rest_url"]
        self.keys = folder / "keys"
        self._next = 0
        self.road = Road(self.url, read_signer(self.keys), print)
        self.road.measure_clock()

    def leave_word(self, **changes: Any) -> None:
        """What a daemon trading here leaves beside its socket."""
        told: dict[str, Any] = {
            "mode": "dry",
            "rest_url": self.url,
            "state_dir": str(self.folder / "state"),
            "credentials_dir": str(self.keys),
            "entry_recv_window_ms": 100,
        }
        leave_venue_file(self.folder, VenueFile(**(told | changes)))

    @property
    def places(self) -> list[Path]:
        return [self.folder / "c.sock"]

    def buy(self, symbol: str, qty: str, name: str) -> None:
        """A market order under a name."""
        self._order(symbol, "BUY", type="MARKET", quantity=qty, newClientOrderId=name)

    def hold(self, symbol: str, qty: str, price: str, stop: str) -> None:
        """A position as the daemon would hold it: entry, stop and one leg, with our prefix."""
        self._next += 10
        self.buy(symbol, qty, f"lcd-1-{self._next}-e")
        leg = {"type": "LIMIT", "price": price, "timeInForce": "GTC", "reduceOnly": "true"}
        self._order(
            symbol, "SELL", quantity=qty, newClientOrderId=f"lcd-1-{self._next + 1}-a", **leg
        )
        self.road.change(
            "POST",
            "/fapi/v1/algoOrder",
            {"algoType": "CONDITIONAL", "symbol": symbol, "side": "SELL", "type": "STOP_MARKET",
             "triggerPrice": stop, "closePosition": "true",
             "clientAlgoId": f"lcd-1-{self._next + 2}-s"},
        )  # fmt: skip

    def _order(self, symbol: str, side: str, **params: str) -> None:
        self.road.change("POST", "/fapi/v1/order", {"symbol": symbol, "side": side, **params})

    def seen(self) -> Snapshot:
        """What the exchange says."""
        return snapshot_from(
            0,
            self.road.get("/fapi/v1/openOrders", {}, list[OrderView]),
            self.road.get("/fapi/v1/openAlgoOrders", {}, list[AlgoView]),
            self.road.get("/fapi/v3/positionRisk", {}, list[PositionRow]),
        )

    def is_empty(self) -> bool:
        """Neither a position nor an order is left."""
        seen = self.seen()
        return not seen.positions and not seen.orders

    def set_faults(self, **faults: Any) -> None:
        """Replace the exchange's fault script."""
        data = json.dumps(faults).encode()
        asked = urllib.request.Request(f"{self.url}/sim/faults", data, method="POST")
        with urllib.request.urlopen(asked, timeout=5) as reply:
            assert reply.status == 200


@contextmanager
def an_exchange(folder: Path) -> Iterator[Ground]:
    """A lowcapd exchange with prices that hardly move."""
    words = ("exchange", "--credentials", str(folder / "keys"), "--step-bps", "0.2")
    with running(folder, "exchange", *words, "--limits-times", "100") as exchange:
        yield Ground(folder, exchange.lines(4))
