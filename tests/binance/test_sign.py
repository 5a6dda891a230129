"""Signers against published and invented vectors (docs/venue.md §2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.sign import Ed25519Signer, HmacSigner, read_signer
from lowcap.binance.socket import query_string
from lowcap.core.errors import LowcapError
from tests import vectors as v

PEM = f"-----BEGIN PRIVATE KEY-----\n{v.ED25519_PKCS8}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("secret", "text", "signature"),
    [
        (v.SECRET, v.REST_TEXT, v.REST_HMAC),
        (v.SECRET, v.WS_TEXT, v.WS_HMAC),
        (v.SECRET, v.NON_ASCII_TEXT, v.NON_ASCII_HMAC),
        (v.DOC_SECRET, v.DOC_TEXT, v.DOC_HMAC),
        (v.DOC_SECRET, v.MIXED_QUERY + v.MIXED_BODY, v.MIXED_HMAC),
    ],
)
def test_hmac_vectors(secret: str, text: str, signature: str) -> None:
    signer = HmacSigner(v.API_KEY, secret)
    assert signer.sign(text.encode()) == signature
    assert signer.sign(text.encode()) == signature, "the prepared states must not be used up"


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (v.REST_TEXT, v.REST_ED25519),
        (v.WS_TEXT, v.WS_ED25519),
        (v.LOGON_TEXT, v.LOGON_ED25519),
    ],
)
def test_ed25519_vectors(text: str, signature: str) -> None:
    signer = Ed25519Signer(v.API_KEY, PEM)
    assert signer.sign(text.encode()) == signature
    assert len(base64.b64decode(signature)) == 64


@given(st.text(st.characters(codec="utf-8"), max_size=100), st.binary(max_size=300))
def test_hmac_is_the_standard_one_for_any_secret(secret: str, text: bytes) -> None:
    expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    assert HmacSigner("k", secret).sign(text) == expected


def test_signers_never_show_their_secret() -> None:
    for signer in (HmacSigner(v.API_KEY, v.SECRET), Ed25519Signer(v.API_KEY, PEM)):
        shown = f"{signer!r} {signer}"
        assert v.SECRET not in shown
        assert v.API_KEY not in shown
        assert "***" in shown


def test_what_is_signed_over_rest_is_percent_encoded() -> None:
    params: dict[str, str | int] = {"symbol": "测试USDT", "a": "x+y&z=/ %", "n": 1}
    assert query_string(params) == ("symbol=%E6%B5%8B%E8%AF%95USDT&a=x%2By%26z%3D%2F%20%25&n=1")


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("_", "-").replace("-pem", ".pem")
        path.write_text(text)
        path.chmod(0o600)


def test_credentials_are_read_from_a_folder(tmp_path: Path) -> None:
    _write(tmp_path, api_key=f"{v.API_KEY}\n", api_secret=f"{v.SECRET}\n")
    signer = read_signer(tmp_path)
    assert isinstance(signer, HmacSigner)
    assert (signer.api_key, signer.sign(v.REST_TEXT.encode())) == (v.API_KEY, v.REST_HMAC)
    _write(tmp_path, private_key_pem=PEM)
    signer = read_signer(tmp_path)
    assert isinstance(signer, Ed25519Signer)
    assert signer.sign(v.REST_TEXT.encode()) == v.REST_ED25519


def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, api_key=v.API_KEY, api_secret=v.SECRET)
    (tmp_path / "api-secret").chmod(0o640)
    with pytest.raises(LowcapError, match="readable by others") as caught:
        read_signer(tmp_path)
    assert caught.value.code == "credentials"
    assert v.SECRET not in str(caught.value)


def test_missing_credentials_are_named(tmp_path: Path) -> None:
    with pytest.raises(LowcapError, match="api-key") as caught:
        read_signer(tmp_path)
    assert caught.value.code == "credentials"


@pytest.mark.parametrize("kind", ["rsa", "garbage", "empty"])
def test_a_key_that_is_no_ed25519_key_is_a_named_error(kind: str) -> None:
    pem = {"garbage": "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----", "empty": ""}
    if kind == "rsa":
        key = generate_private_key(public_exponent=65537, key_size=2048)
        pem["rsa"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(LowcapError) as caught:
        Ed25519Signer(v.API_KEY, pem[kind])
    assert caught.value.code == "credentials"


def test_group_bits_of_systemds_own_folder_are_its_access_list(tmp_path: Path) -> None:
    for name, text in (("api-key", "k"), ("api-secret", "s")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o440)
    with pytest.raises(LowcapError, match="readable by others"):
        read_signer(tmp_path)
    assert isinstance(read_signer(tmp_path, guarded=True), HmacSigner)
