"""Where the venues are, and what a key may do there. No network in here."""

from __future__ import annotations

from msgspec import Struct

from lowcap.binance.wire import KeyRights
from lowcap.core.errors import LowcapError


class VenueUrls(Struct, frozen=True):
    """Where the venue is: REST base, WebSocket API, and the base of the stream routes.

    ``account`` is the REST base that tells what a key may do; empty where
    there is none, as on the testnet.
    """

    rest: str
    ws_api: str
    streams: str
    account: str = ""


KNOWN_URLS = {
    "testnet": VenueUrls(
        "https://demo-fapi.binance.com",
        "wss://testnet.binancefuture.com/ws-fapi/v1",
        "wss://fstream.binancefuture.com",
    ),
    "live": VenueUrls(
        "https://fapi.binance.com",
        "wss://ws-fapi.binance.com/ws-fapi/v1",
        "wss://fstream.binance.com",
        "https://api.binance.com",
    ),
}
KEY_RIGHTS = "/sapi/v1/account/apiRestrictions"


def remark_on(rights: KeyRights) -> str:
    """What remains to be said about a key that may trade and no more, in words.

    Raises:
        LowcapError: it may withdraw or transfer, or not trade futures.
    """
    too_much = [
        word
        for word, given in (
            ("withdraw", rights.enableWithdrawals),
            ("transfer between accounts", rights.enableInternalTransfer),
            ("transfer within the account", rights.permitsUniversalTransfer),
        )
        if given
    ]
    if too_much:
        raise LowcapError(
            f"the key may {', '.join(too_much)}",
            hint="make a key that may only read and trade futures",
            code="key-permissions",
        )
    if not rights.enableFutures:
        raise LowcapError(
            "the key may not trade futures",
            hint="enable futures for the key",
            code="key-permissions",
        )
    return "" if rights.ipRestrict else "the key works from any address; bind it to this one"
