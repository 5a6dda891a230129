"""Signatures (docs/venue.md §2): HMAC-SHA256 from prepared states, or Ed25519."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Protocol

from lowcap.core.errors import LowcapError

_BLOCK = 64


class Signer(Protocol):
    """Signs the text of a request."""

    api_key: str

    def sign(self, text: bytes) -> str:
        """The signature as the venue wants it, before any percent-encoding."""
        ...


class HmacSigner:
    """HMAC-SHA256 in hex. The key's two hash states are computed once and copied per request."""

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        key = secret.encode()
        key = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in key))
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in key))

    def sign(self, text: bytes) -> str:
        """64 hex digits."""
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()

    def __repr__(self) -> str:
        return "HmacSigner(***)"


class Ed25519Signer:
    """Ed25519 in base64, for keys given as PKCS#8 PEM."""

    def __init__(self, api_key: str, pem: str) -> None:
        # Loaded here: a key of the other kind needs nothing but the standard library.
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self.api_key = api_key
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise LowcapError(
                "the private key cannot be read",
                hint="give an unencrypted Ed25519 key in PKCS#8 PEM",
                code="credentials",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise LowcapError("the private key is not an Ed25519 key", code="credentials")
        self._key = key

    def sign(self, text: bytes) -> str:
        """88 base64 characters."""
        return base64.b64encode(self._key.sign(text)).decode()

    def __repr__(self) -> str:
        return "Ed25519Signer(***)"


def read_signer(folder: Path, *, guarded: bool = False, prefix: str = "") -> Signer:
    """The signer of a credentials folder: ``api-key`` with ``api-secret`` or ``private-key.pem``.

    ``prefix`` stands before these names where there is a second key.
    ``guarded`` says that systemd made the folder: it keeps others out by an
    access list, which shows as group bits on the files.

    Raises:
        LowcapError: a file is missing, or readable by others.
    """
    api_key = _read_secret(folder / f"{prefix}api-key", guarded)
    if (folder / f"{prefix}private-key.pem").exists():
        return Ed25519Signer(api_key, _read_secret(folder / f"{prefix}private-key.pem", guarded))
    return HmacSigner(api_key, _read_secret(folder / f"{prefix}api-secret", guarded))


def _read_secret(path: Path, guarded: bool) -> str:
    try:
        if path.stat().st_mode & 0o077 and not guarded:
            raise LowcapError(
                f"{path} is readable by others", hint=f"chmod 600 {path}", code="credentials"
            )
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LowcapError(
            f"cannot read the credential {path}: {error.strerror}",
            hint="set exchange.credentials_dir to a folder with api-key and api-secret",
            code="credentials",
        ) from error
