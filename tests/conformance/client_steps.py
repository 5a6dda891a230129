"""What the client scripts share: addresses from the environment, one JSON line for each step.

Runs inside the environment of a client, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

SYMBOL = "XRPUSDT"
UNKNOWN_ORDER_ID = 8_111_111_111_111_111_111


class Steps:
    """Runs steps one by one; a step that fails is told and the next one is tried."""

    def __init__(self) -> None:
        self.rest = os.environ["LOWCAP_REST_URL"]
        self.ws_api = os.environ["LOWCAP_WS_API_URL"]
        self.streams = os.environ["LOWCAP_STREAM_URL"]
        self.key = os.environ["LOWCAP_API_KEY"]
        self.secret = os.environ["LOWCAP_API_SECRET"]
        self._doubts: list[str] = []

    def doubt(self, text: str) -> None:
        """What a client complained of while it went on: fails the step that is running."""
        self._doubts.append(text)

    def tell(self, name: str, ok: bool, detail: object) -> None:
        """Print the outcome of a step."""
        if self._doubts:
            ok, detail = False, "; ".join(self._doubts)
            self._doubts = []
        line = {"name": name, "ok": ok, "detail": str(detail)[:400]}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        """Run ``call`` as a step; its result, or None where it failed."""
        try:
            result = call()
        except Exception as error:
            self.tell(name, False, f"{type(error).__name__}: {error}")
            return None
        self.tell(name, True, result)
        return result

    async def async_step(self, name: str, call: Callable[[], Any]) -> Any:
        """Run a step whose ``call`` gives an awaitable."""
        try:
            result = await call()
        except Exception as error:
            self.tell(name, False, f"{type(error).__name__}: {error}")
            return None
        self.tell(name, True, result)
        return result

    def refused(
        self, name: str, call: Callable[[], Any], error_class: type[BaseException], code: int
    ) -> None:
        """Run a step that must fail with exactly ``error_class`` and tell the venue's code."""
        try:
            result = call()
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            self.tell(f"refused {name}", type(error) is error_class and str(code) in told, told)
        else:
            self.tell(f"refused {name}", False, f"was accepted: {result}")


def has(value: bool, what: Any) -> Any:
    """``what``, which a step reports, provided that ``value`` holds."""
    if not value:
        raise AssertionError(f"not as expected: {what}")
    return what
