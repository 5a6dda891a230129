"""Shared fixtures: the three nets that every seam must behave the same over."""

from __future__ import annotations

import decimal
import signal
import ssl
from collections.abc import Iterator

import pytest
import trustme

from lowcap.net.net import MemoryNet, Net, SocketNet

# A shell that starts the suite in the background has SIGINT ignored, and every child inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

decimal.getcontext().traps[decimal.FloatOperation] = True


@pytest.fixture(scope="session")
def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    return client, server


@pytest.fixture(params=["memory", "plain", "tls"])
def net_and_scheme(
    request: pytest.FixtureRequest, tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> Iterator[tuple[Net, str]]:
    """A net and the letter that its URLs need behind http or ws."""
    if request.param == "memory":
        yield MemoryNet(), ""
    elif request.param == "plain":
        yield SocketNet(), ""
    else:
        yield SocketNet(*tls_contexts), "s"
