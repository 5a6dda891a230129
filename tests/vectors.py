"""Signature vectors of docs/venue.md §2. Invented or published sample keys; they open nothing."""

from __future__ import annotations

import base64

API_KEY = "sim-api-key-0001"
SECRET = "sim-secret-key-0001"
DOC_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
ED25519_PKCS8 = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
ED25519_SPKI = "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
ED25519_SEED = base64.b64decode(ED25519_PKCS8)[-32:]
PUBLIC_KEY_PEM = f"-----BEGIN PUBLIC KEY-----\n{ED25519_SPKI}\n-----END PUBLIC KEY-----\n"
AT_MS = 1_795_300_000_000
DOC_AT_MS = 1_591_702_613_943

REST_TEXT = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.010&price=65000.10"
    "&newClientOrderId=t-0001&recvWindow=5000&timestamp=1795300000000"
)
REST_HMAC = "cd8988f98bb285e54fd0fd66e01ceaf116ee089254647483f2409d046dd63be8"
REST_ED25519 = (
    "Q3wJZHAiueW5///Z83kXF1cG10+yqaK9XfbrtxbYNthgKU1djaW/h0N2rpfS1nuVxjKLWoKDugPLtK6CMYwSAA=="
)

WS_TEXT = (
    "apiKey=sim-api-key-0001&newClientOrderId=t-0001&price=65000.10&quantity=0.010"
    "&recvWindow=5000&side=BUY&symbol=BTCUSDT&timeInForce=GTX&timestamp=1795300000000&type=LIMIT"
)
WS_HMAC = "72f7888443773bb99a49681025d942a6bccf588baf5743411cb6a00b022b4400"
WS_ED25519 = (
    "5HKqonTBPQxKw+aq3YEELpxeG4l3ieXhQhwKIuMPNx9JwztpH9fi8Igh92xGBcsjeNa1XeIjqZf23Edp/lHcBg=="
)

LOGON_TEXT = "apiKey=sim-api-key-0001&recvWindow=5000&timestamp=1795300000000"
LOGON_ED25519 = (
    "bcCLiNwaG7JOTtf0165ExvRYBG83XgzkRtVY96FZUtMFSwbipsMvefrmXwkHDWzi0nyJzThNVkjLeKoYU0CCDw=="
)

NON_ASCII_TEXT = (
    "symbol=%E6%B5%8B%E8%AF%95USDT&side=SELL&type=MARKET&quantity=1&timestamp=1795300000000"
)
NON_ASCII_HMAC = "1ce1a05c882c49bd973a78ba3fe5f49d1e8b28081bcbc989497ddd2170546078"

DOC_TEXT = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
    "&recvWindow=5000&timestamp=1591702613943"
)
DOC_HMAC = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
MIXED_QUERY = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
MIXED_BODY = "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"
MIXED_HMAC = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"
