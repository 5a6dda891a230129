"""A venue of a few canned answers, for whoever looks at it from outside."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RIGHTS = {
    "enableFutures": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "ipRestrict": True,
}
ACCOUNT = {"canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False}


class Canned:
    """What the venue answers; ``offset_ms`` is how far its clock is ahead."""

    def __init__(self) -> None:
        self.offset_ms = 0
        self.rights: dict[str, Any] = dict(RIGHTS)
        self.account: dict[str, Any] = dict(ACCOUNT)
        self.refusal: dict[str, Any] | None = None
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        if path == "/fapi/v1/time":
            return 200, {"serverTime": round(time.time() * 1000) + self.offset_ms}
        if self.refusal is not None:
            return 400, self.refusal
        if path == "/sapi/v1/account/apiRestrictions":
            return 200, self.rights
        return 200, self.account


@contextmanager
def canned_venue() -> Iterator[tuple[str, Canned]]:
    """Its address, and what it answers."""
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, value = canned.answer(self.path.partition("?")[0])
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", canned
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
