"""Keys, signatures and the time window of the simulated venue (docs/venue.md §2)."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
import vectors as v
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)
from paper_kit import Venue

from lowcap.net.serve import HttpRequest
from lowcap.paper import rest
from lowcap.paper.auth import Account, check_time, split_signed, ws_signed_text
from lowcap.paper.state import VenueError
from lowcap.paper.usage import Usage
from lowcap.paper.wsapi import WsApi

ACCOUNT = Account(api_key=v.API_KEY, secret=v.SECRET, public_key_pem=v.PUBLIC_KEY_PEM)
HMAC_ONLY = Account(api_key=v.API_KEY, secret=v.SECRET)
DOC_ACCOUNT = Account(api_key=v.API_KEY, secret=v.DOC_SECRET)
PRIVATE = Ed25519PrivateKey.from_private_bytes(v.ED25519_SEED)


def _sign(text: str) -> str:
    return base64.b64encode(PRIVATE.sign(text.encode())).decode()


def _escaped(signature: str) -> str:
    return signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def _code(account: Account, text: str, signature: str) -> int:
    with pytest.raises(VenueError) as caught:
        account.check_signature(text, signature)
    return caught.value.code


# -- the vectors --------------------------------------------------------------


def test_the_sample_key_pair_belongs_together() -> None:
    assert bytes(range(32)) == v.ED25519_SEED
    public = PRIVATE.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert base64.b64encode(der).decode() == v.ED25519_SPKI
    loaded = load_der_private_key(base64.b64decode(v.ED25519_PKCS8), password=None)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert loaded.sign(b"x") == PRIVATE.sign(b"x")


@pytest.mark.parametrize(
    ("account", "text", "signature"),
    [
        pytest.param(ACCOUNT, v.REST_TEXT, v.REST_HMAC, id="R hmac"),
        pytest.param(ACCOUNT, v.REST_TEXT, v.REST_HMAC.upper(), id="R hmac in capitals"),
        pytest.param(ACCOUNT, v.REST_TEXT, v.REST_ED25519, id="R ed25519"),
        pytest.param(ACCOUNT, v.WS_TEXT, v.WS_HMAC, id="W hmac"),
        pytest.param(ACCOUNT, v.WS_TEXT, v.WS_ED25519, id="W ed25519"),
        pytest.param(ACCOUNT, v.LOGON_TEXT, v.LOGON_ED25519, id="L ed25519"),
        pytest.param(ACCOUNT, v.NON_ASCII_TEXT, v.NON_ASCII_HMAC, id="N hmac"),
        pytest.param(DOC_ACCOUNT, v.DOC_TEXT, v.DOC_HMAC, id="Doc"),
        pytest.param(DOC_ACCOUNT, v.MIXED_QUERY + v.MIXED_BODY, v.MIXED_HMAC, id="Mixed"),
    ],
)
def test_vectors_are_accepted_and_anything_else_is_not(
    account: Account, text: str, signature: str
) -> None:
    account.check_signature(text, signature)
    assert _code(account, text + "&more=1", signature) == -1022
    assert _code(account, text, "") == -1022
    assert _code(account, text, signature[:-4] + "0000") == -1022
    assert _code(account, text, "ſignature-ü") == -1022


def test_ed25519_needs_the_public_key() -> None:
    assert _code(HMAC_ONLY, v.REST_TEXT, v.REST_ED25519) == -1022


# -- REST: what is signed ------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body", "text"),
    [
        (f"{v.DOC_TEXT}&signature={v.DOC_HMAC}", "", v.DOC_TEXT),
        ("", f"{v.DOC_TEXT}&signature={v.DOC_HMAC}", v.DOC_TEXT),
        (v.MIXED_QUERY, f"{v.MIXED_BODY}&signature={v.MIXED_HMAC}", v.MIXED_QUERY + v.MIXED_BODY),
        (
            f"{v.MIXED_QUERY}&signature={v.MIXED_HMAC}",
            v.MIXED_BODY,
            v.MIXED_QUERY + v.MIXED_BODY,
        ),
    ],
    ids=["query", "body", "mixed", "mixed, signature in the query"],
)
def test_rest_text_is_query_then_body_without_separator(query: str, body: str, text: str) -> None:
    params, signed, signature = split_signed(query, body)
    assert signed == text
    DOC_ACCOUNT.check_signature(signed, signature)
    assert params["price"] == "9000"
    assert "signature" not in params


def test_rest_text_keeps_raw_bytes_and_the_query_wins() -> None:
    query = f"{v.NON_ASCII_TEXT}&signature={_escaped(v.REST_ED25519)}"
    params, signed, signature = split_signed(query, "quantity=5&price=2")
    assert signed == v.NON_ASCII_TEXT + "quantity=5&price=2"
    assert signature == v.REST_ED25519
    assert params["symbol"] == "测试USDT"
    assert (params["quantity"], params["price"]) == ("1", "2")


def _rest(
    method: str, path: str, query: str = "", body: str = "", *, key: str | None = v.API_KEY,
    account: Account = ACCOUNT, now_ms: int = v.AT_MS,
) -> tuple[int, Any]:  # fmt: skip
    headers = {} if key is None else {"x-mbx-apikey": key}
    request = HttpRequest(method, path, query, headers, body.encode())
    reply = rest.answer(Venue().exchange, account, request, now_ms, Usage())
    return reply.status, msgspec.json.decode(reply.body)


SIGNED_READ = "recvWindow=5000&timestamp=1795300000000"


@pytest.mark.parametrize("place", ["query", "body", "mixed"])
def test_rest_order_of_the_vector_is_placed(place: str) -> None:
    """The order of vector R; 65000.10 is below the market, so that it rests."""
    half = v.REST_TEXT.index("quantity")
    query, body = {
        "query": (f"{v.REST_TEXT}&signature={v.REST_HMAC}", ""),
        "body": ("", f"{v.REST_TEXT}&signature={_escaped(v.REST_ED25519)}"),
        "mixed": (v.REST_TEXT[:half], f"{v.REST_TEXT[half:]}&signature={v.REST_HMAC}"),
    }[place]
    status, order = _rest("POST", "/fapi/v1/order", query, body)
    assert (status, order["clientOrderId"], order["status"]) == (200, "t-0001", "NEW")


@pytest.mark.parametrize(
    ("key", "query", "refused"),
    [
        (None, f"{SIGNED_READ}&signature=00", (401, -2014)),
        ("another", f"{SIGNED_READ}&signature={_escaped(_sign(SIGNED_READ))}", (401, -2015)),
        (v.API_KEY, f"{SIGNED_READ}&signature=00", (400, -1022)),
        (v.API_KEY, SIGNED_READ, (400, -1022)),
        (
            v.API_KEY,
            f"recvWindow=5000&signature={_escaped(_sign('recvWindow=5000'))}",
            (400, -1102),
        ),
        (v.API_KEY, "timestamp=1795299990000&signature=00", (400, -1021)),
    ],
    ids=["no key", "wrong key", "wrong signature", "no signature", "no timestamp", "too old"],
)
def test_rest_refuses_without_proof(key: str | None, query: str, refused: tuple[int, int]) -> None:
    status, error = _rest("GET", "/fapi/v3/balance", query, key=key)
    assert (status, error["code"]) == refused


def test_rest_security_levels() -> None:
    """Open calls need nothing; listenKey calls the key only and no signature."""
    assert _rest("GET", "/fapi/v1/time", key=None) == (200, {"serverTime": v.AT_MS})
    status, reply = _rest("POST", "/fapi/v1/listenKey")
    assert (status, len(reply["listenKey"])) == (200, 64)
    assert _rest("POST", "/fapi/v1/listenKey", key=None)[0] == 401
    assert _rest("PUT", "/fapi/v1/listenKey")[1]["code"] == -1125
    assert _rest("DELETE", "/fapi/v1/listenKey") == (200, {})


def test_rest_body_that_is_no_text_is_refused() -> None:
    request = HttpRequest("POST", "/fapi/v1/order", "", {"x-mbx-apikey": v.API_KEY}, b"\xff\xfe=1")
    reply = rest.answer(Venue().exchange, ACCOUNT, request, v.AT_MS, Usage())
    assert msgspec.json.decode(reply.body)["code"] == -1100


# -- the time window ------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset_ms", "window", "accepted"),
    [
        (999, None, True),
        (1_000, None, False),
        (-5_000, None, True),
        (-5_001, None, False),
        (-5_001, 6_000, True),
        (-101, 100, False),
        (-100, "100", True),
    ],
)
def test_time_window(offset_ms: int, window: object, accepted: bool) -> None:
    """timestamp < now + 1000 and now - timestamp <= recvWindow, 5000 by default; else -1021."""
    params: dict[str, Any] = {"timestamp": v.AT_MS + offset_ms}
    if window is not None:
        params["recvWindow"] = window
    if accepted:
        check_time(params, v.AT_MS)
        return
    with pytest.raises(VenueError) as caught:
        check_time(params, v.AT_MS)
    assert caught.value.code == -1021


@pytest.mark.parametrize("timestamp", [None, "", "soon", "1795300000000.5", [1]])
def test_time_that_is_none(timestamp: object) -> None:
    with pytest.raises(VenueError) as caught:
        check_time({"timestamp": timestamp}, v.AT_MS)
    assert caught.value.code == -1102


# -- WebSocket API ---------------------------------------------------------------

ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX",
    "quantity": "0.010", "price": "65000.10", "newClientOrderId": "t-0001",
    "recvWindow": 5000, "timestamp": v.AT_MS,
}  # fmt: skip
LOGON = {"apiKey": v.API_KEY, "recvWindow": 5000, "timestamp": v.AT_MS}


class Connection:
    def __init__(self, account: Account = ACCOUNT) -> None:
        self.api = WsApi(Venue().exchange, account, Usage(), v.AT_MS - 5)

    def raw(self, frame: bytes) -> Any:
        request = self.api.parse(frame)
        assert request is not None
        return msgspec.json.decode(self.api.answer(request, v.AT_MS))

    def ask(self, method: str, **params: Any) -> Any:
        return self.raw(msgspec.json.encode({"id": 1, "method": method, "params": params}))

    def code(self, method: str, **params: Any) -> tuple[int, int]:
        reply = self.ask(method, **params)
        return reply["status"], reply["error"]["code"]


@pytest.mark.parametrize("signature", [v.WS_HMAC, v.WS_ED25519], ids=["hmac", "ed25519"])
def test_ws_text_is_sorted_and_includes_the_key(signature: str) -> None:
    params = {**ORDER, "apiKey": v.API_KEY, "signature": signature}
    assert ws_signed_text(params) == v.WS_TEXT
    reply = Connection().ask("order.place", **params)
    assert (reply["status"], reply["result"]["clientOrderId"]) == (200, "t-0001")


def test_ws_flags_and_numbers_are_signed_as_sent() -> None:
    """returnRateLimits counts as a parameter; a JSON number keeps its digits."""
    text = v.WS_TEXT.replace("&side=", "&returnRateLimits=false&side=")
    params = {**ORDER, "apiKey": v.API_KEY, "returnRateLimits": False, "signature": _sign(text)}
    frame = msgspec.json.encode({"id": "a", "method": "order.place", "params": params})
    reply = Connection().raw(
        frame.replace(b'"0.010"', b"0.010").replace(b'"65000.10"', b"65000.10")
    )
    assert (reply["id"], reply["status"]) == ("a", 200)
    assert "rateLimits" not in reply


def test_ws_refuses_without_proof() -> None:
    ask = Connection().code
    signed = {**ORDER, "apiKey": v.API_KEY, "signature": v.WS_HMAC}
    assert ask("order.place", **ORDER) == (401, -2014)
    assert ask("order.place", **{**signed, "apiKey": "another"}) == (401, -2015)
    assert ask("order.place", **{**signed, "apiKey": 5}) == (401, -2015)
    assert ask("order.place", **{**signed, "signature": v.REST_HMAC}) == (400, -1022)
    assert ask("order.place", **{**signed, "price": "65000.20"}) == (400, -1022)
    assert ask("order.place", **{**signed, "timestamp": v.AT_MS - 6_000}) == (400, -1021)
    assert ask("userDataStream.start") == (401, -2014)
    assert ask("order.frobnicate", **signed) == (400, -1102)


def test_ws_logon_replaces_key_and_signature_but_not_the_time() -> None:
    connection = Connection()
    status = connection.ask("session.status")["result"]
    assert (status["apiKey"], status["authorizedSince"]) == (None, None)
    assert (status["connectedSince"], status["serverTime"]) == (v.AT_MS - 5, v.AT_MS)
    logon = connection.ask("session.logon", **LOGON, signature=v.LOGON_ED25519)["result"]
    assert (logon["apiKey"], logon["authorizedSince"]) == (v.API_KEY, v.AT_MS)
    assert connection.ask("order.place", **ORDER)["status"] == 200
    assert connection.ask("userDataStream.start")["status"] == 200
    untimed = {k: value for k, value in ORDER.items() if k != "timestamp"}
    assert connection.code("order.place", **untimed) == (400, -1102)
    signed = {**ORDER, "apiKey": v.API_KEY, "signature": "00"}
    assert connection.code("order.place", **signed) == (400, -1022)
    assert connection.ask("session.logout")["result"]["apiKey"] is None
    assert connection.code("order.place", **ORDER) == (401, -2014)


def test_ws_logon_takes_ed25519_only() -> None:
    import hashlib
    import hmac

    digest = hmac.new(v.SECRET.encode(), v.LOGON_TEXT.encode(), hashlib.sha256).hexdigest()
    for account in (ACCOUNT, HMAC_ONLY):
        assert Connection(account).code("session.logon", **LOGON, signature=digest) == (401, -4056)
    assert Connection().code("session.logon", **LOGON, signature="00") == (400, -1022)


def test_ws_versioned_methods_and_weights() -> None:
    """§3: v2/account.position is the third REST form; weights add up, the handshake included."""
    connection = Connection()
    connection.ask("session.logon", **LOGON, signature=v.LOGON_ED25519)
    assert connection.ask("v2/account.position", timestamp=v.AT_MS)["result"] == []
    everything = connection.ask("account.position", timestamp=v.AT_MS)
    assert {"leverage", "marginType"} <= set(everything["result"][0])
    (weight,) = everything["rateLimits"]
    assert (weight["rateLimitType"], weight["limit"], weight["count"]) == (
        "REQUEST_WEIGHT", 2400, 5 + 2 + 5 + 5,
    )  # fmt: skip
    placed = connection.ask("order.place", **ORDER)
    assert [(r["intervalNum"], r["interval"], r["count"]) for r in placed["rateLimits"]] == [
        (1, "MINUTE", 17),
        (10, "SECOND", 1),
        (1, "MINUTE", 1),
    ]
