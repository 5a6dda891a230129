"""Who may call the simulator: keys, signatures, time window (docs/venue.md §2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from lowcap.paper.state import VenueError

RECV_WINDOW_MS = 5_000
FUTURE_MS_MAX = 1_000


class Account(Struct, frozen=True, kw_only=True):
    """The one account: a key with an HMAC secret, and optionally a PEM public key for Ed25519."""

    api_key: str
    secret: str
    public_key_pem: str = ""

    def check_key(self, api_key: str | None) -> None:
        """-2014 for no key, -2015 for another one."""
        if not api_key:
            raise VenueError(-2014, "API-key format invalid.", status=401)
        if api_key != self.api_key:
            raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)

    def check_signature(self, text: str, signature: str) -> None:
        """HMAC-SHA256 in hex, or Ed25519 in base64, over ``text``; else -1022."""
        if not (self._is_hmac(text, signature) or self._is_ed25519(text, signature)):
            raise VenueError(-1022, "Signature for this request is not valid.")

    def check_logon(self, text: str, signature: str) -> None:
        """Only Ed25519 keys may log a connection on (§2): -4056 for HMAC, -1022 for nonsense."""
        if not self.public_key_pem or self._is_hmac(text, signature):
            raise VenueError(-4056, "HMAC_SHA256 API key is not supported.", status=401)
        self.check_signature(text, signature)

    def _is_hmac(self, text: str, signature: str) -> bool:
        digest = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(digest.encode(), signature.lower().encode())

    def _is_ed25519(self, text: str, signature: str) -> bool:
        if not self.public_key_pem:
            return False
        key = load_pem_public_key(self.public_key_pem.encode())
        if not isinstance(key, Ed25519PublicKey):
            return False
        try:
            key.verify(base64.b64decode(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def check_time(params: dict[str, Any], now_ms: int) -> None:
    """Timestamp < now + 1000 and now - timestamp <= recvWindow, else -1021 (§2)."""
    try:
        timestamp = int(str(params["timestamp"]))
        window = int(str(params.get("recvWindow", RECV_WINDOW_MS)))
    except (KeyError, ValueError):
        raise VenueError(
            -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        ) from None
    if not (timestamp < now_ms + FUTURE_MS_MAX and now_ms - timestamp <= window):
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def split_signed(query: str, body: str) -> tuple[dict[str, str], str, str]:
    """Parameters, signed text and signature of a REST request.

    The signed text is the raw query directly followed by the raw body without
    the signature, which goes last; on a duplicate the query wins (§2).
    """
    signature = ""
    signed: list[str] = []
    for part in (query, body):
        kept = []
        for pair in part.split("&") if part else []:
            name, _, value = pair.partition("=")
            if name == "signature":
                signature = unquote(value)
            else:
                kept.append(pair)
        signed.append("&".join(kept))
    params = dict(parse_qsl(body, keep_blank_values=True))
    params |= dict(parse_qsl(query, keep_blank_values=True))
    params.pop("signature", None)
    return params, "".join(signed), signature


def ws_signed_text(params: dict[str, Any]) -> str:
    """All parameters but the signature, sorted by name (§2, WS API)."""
    pairs = sorted((name, value) for name, value in params.items() if name != "signature")
    return "&".join(f"{name}={_as_text(value)}" for name, value in pairs)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
