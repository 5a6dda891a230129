"""A blocking road to the venue: signed requests, each with deadlines, none sent twice.

No event loop and no library for HTTP: this must work where the daemon, or
what it is built on, does not.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from lowcap.binance.errors import BAD_KEY, OUTSIDE_WINDOW, Remedy, meaning_of
from lowcap.binance.sign import Signer
from lowcap.binance.wire import UNREADABLE, ApiError, Ms
from lowcap.core.errors import LowcapError, NoAnswer

T = TypeVar("T")
Params = dict[str, str | int]
STEP_WITHIN_S, REPLY_WITHIN_S = 5.0, 10.0
BODY_BYTES_MAX = 32 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Waits that the venue asks for without saying how long, and the longest one that we believe.
WAIT_429_S, WAIT_418_S, WAIT_S_MAX = 5.0, 60.0, 600.0


class Refused(LowcapError):
    """The venue said no; ``venue_code`` is its number. Without one the outcome is open."""

    code = "venue"

    def __init__(self, venue_code: int, message: str, status: int) -> None:
        super().__init__(f"{venue_code}: {message}" if venue_code else message)
        self.venue_code = venue_code
        self.status = status
        self.hint = meaning_of(venue_code).advice if venue_code else ""


class _ServerTime(msgspec.Struct):
    serverTime: Ms


class Road:
    """One venue, one key, one connection at a time."""

    def __init__(self, base_url: str, signer: Signer, say: Callable[[str], None]) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port
        if parts.scheme not in ("http", "https") or not self._host:
            raise LowcapError(f"{base_url!r} is no address of a venue", code="refused")
        if parts.scheme == "http" and self._host not in LOOPBACK:
            raise LowcapError(
                f"{base_url} speaks plainly to another machine; keys go by https only",
                code="refused",
            )
        self._tls = _tls() if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self.signer = signer
        self._say = say
        self._connection: http.client.HTTPConnection | None = None
        self._quiet_until_s = 0.0
        self._early_ms = self._middle_ms = self._late_ms = 0.0

    # -- the venue's clock ----------------------------------------------------

    def measure_clock(self) -> None:
        """Ask for the venue's time; it was read somewhere between our asking and its answer.

        Raises:
            Refused, NoAnswer: no time came.
        """
        asked_s = time.monotonic()
        said = self.get("/fapi/v1/time", {}, _ServerTime, signed=False).serverTime
        heard_s = time.monotonic()
        self._early_ms = said - heard_s * 1000
        self._late_ms = said - asked_s * 1000
        self._middle_ms = (self._early_ms + self._late_ms) / 2

    def go_by(self, other: Road) -> None:
        """Take over the clock that another road to the same venue has measured."""
        self._early_ms, self._middle_ms = other._early_ms, other._middle_ms
        self._late_ms = other._late_ms

    def venue_ms(self) -> int:
        """The venue's time as we estimate it, for timestamps."""
        return round(time.monotonic() * 1000 + self._middle_ms)

    def earliest_ms(self) -> int:
        """What the venue's clock has certainly reached."""
        return round(time.monotonic() * 1000 + self._early_ms)

    def latest_ms(self) -> int:
        """What the venue's clock has certainly not passed."""
        return round(time.monotonic() * 1000 + self._late_ms)

    # -- requests -------------------------------------------------------------

    def get(self, path: str, params: Params, kind: type[T], *, signed: bool = True) -> T:
        """Read something; a timestamp that the venue dislikes is corrected and asked once more.

        Raises:
            Refused: it said no.
            NoAnswer: nothing usable came.
        """
        try:
            return _decoded(self._exchange("GET", path, params, signed=signed), kind)
        except Refused as error:
            if error.venue_code not in OUTSIDE_WINDOW or not signed:
                raise
        self.measure_clock()
        return _decoded(self._exchange("GET", path, params, signed=True), kind)

    def change(self, method: str, path: str, params: Params) -> None:
        """Send a cancel or a close, once. What became of it is for the next read to say.

        Raises:
            Refused: it said no.
            NoAnswer: it may have been carried out.
        """
        try:
            self._exchange(method, path, params, signed=True)
        except Refused as error:
            if error.venue_code in OUTSIDE_WINDOW:
                self.measure_clock()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, params: Params, *, signed: bool) -> bytes:
        self._keep_quiet()
        headers: dict[str, str] = {}
        query = _query(params)
        if signed:
            query = _query(params | {"timestamp": self.venue_ms()})
            query += f"&signature={quote(self.signer.sign(query.encode()), safe='')}"
            headers["X-MBX-APIKEY"] = self.signer.api_key
        target = f"{self._path}{path}" + (f"?{query}" if query else "")
        try:
            status, reply, body = self._one_request(method, target, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # The address holds the signature: it stays out of what is said.
            why = str(error) or type(error).__name__
            raise NoAnswer(f"{method} {path}: {why}") from None
        if status == 200:
            return body
        self._heed_limits(status, reply)
        raise _fault(status, body)

    def _one_request(
        self, method: str, target: str, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        give_up_s = time.monotonic() + REPLY_WITHIN_S
        connection = self._connection or self._connect()
        self._connection = connection
        connection.request(method, target, headers=headers)
        reply = connection.getresponse()
        body = bytearray()
        while chunk := reply.read1(65_536):
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                raise http.client.HTTPException("the reply has no end")
            if time.monotonic() > give_up_s:
                raise TimeoutError(f"not answered in full within {REPLY_WITHIN_S:g} s")
        if reply.length:
            raise http.client.IncompleteRead(bytes(body), reply.length)
        reply.close()
        if reply.will_close:
            self.close()
        return reply.status, reply.headers, bytes(body)

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=STEP_WITHIN_S)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=STEP_WITHIN_S, context=self._tls
        )

    # -- limits ---------------------------------------------------------------

    def _keep_quiet(self) -> None:
        """Wait out a silence that the venue asked for: asking on would only make it longer."""
        left_s = self._quiet_until_s - time.monotonic()
        if left_s > 0:
            self._say(f"the venue asks for silence: waiting {left_s:.0f} s")
            time.sleep(left_s)

    def _heed_limits(self, status: int, headers: http.client.HTTPMessage) -> None:
        if status not in (418, 429):
            return
        wait_s = WAIT_418_S if status == 418 else WAIT_429_S
        asked = headers.get("Retry-After", "")
        if asked.isascii() and asked.isdecimal():
            wait_s = min(float(asked), WAIT_S_MAX)
        self._quiet_until_s = time.monotonic() + wait_s


def is_of_the_key(error: Refused) -> bool:
    """Whether the venue refuses the key itself, whatever is asked with it."""
    return error.venue_code in BAD_KEY or error.status == 401


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _query(params: Params) -> str:
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in params.items())


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise NoAnswer(f"unreadable reply: {error}") from None


def _fault(status: int, body: bytes) -> Refused | NoAnswer:
    """A definite no has a code and a 4xx; anything else leaves open what happened."""
    try:
        error = msgspec.json.decode(body, type=ApiError)
    except UNREADABLE:
        return NoAnswer(f"HTTP {status}")
    if status >= 500 or status == 408 or meaning_of(error.code).remedy is Remedy.UNKNOWN:
        return NoAnswer(f"HTTP {status}: {error.code}: {error.msg}")
    return Refused(error.code, error.msg, status)
