"""HttpPort over memory, plain and TLS: replies, refusals and lost answers told apart."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lowcap.core.errors import NoAnswer, NotSent
from lowcap.net.http import IDLE_S_MAX, HttpReply, HttpxPort
from lowcap.net.net import MemoryNet, Net
from lowcap.net.serve import HttpRequest, serve_stream

NetAndScheme = tuple[Net, str]


async def _no_upgrade(stream: trio.abc.Stream) -> None:
    await trio.aclose_forcefully(stream)


class Server:
    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []
        self.connections = 0

    async def handle(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        await serve_stream(stream, self.answer, _no_upgrade)

    async def answer(self, request: HttpRequest) -> HttpReply | None:
        self.seen.append(request)
        if request.path == "/lost":
            return None
        if request.path == "/slow":
            await trio.sleep(5)
        return HttpReply(418 if request.path == "/ban" else 200, {"x-mbx": "1"}, b'{"ok":true}')


async def test_request_reply_and_connection_reuse(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    server = Server()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            http = HttpxPort(net)
            base = f"http{s}://127.0.0.1:{port}"
            for method in ("GET", "POST", "DELETE", "PUT"):
                reply = await http.request(
                    method,
                    f"{base}/fapi/v1/x?a=%E6%B5%8B&b=2",
                    headers={"X-MBX-APIKEY": "key"},
                    content=b"c=3" if method == "POST" else b"",
                    timeout_s=2,
                )
                assert (reply.status, reply.body) == (200, b'{"ok":true}')
                assert reply.headers["x-mbx"] == "1"
            reply = await http.request("GET", f"{base}/ban", headers={}, timeout_s=2)
            assert reply.status == 418
            await http.aclose()
            nursery.cancel_scope.cancel()
    assert [r.method for r in server.seen] == ["GET", "POST", "DELETE", "PUT", "GET"]
    assert server.seen[1].body == b"c=3"
    assert server.seen[0].query == "a=%E6%B5%8B&b=2"
    assert server.seen[0].headers["x-mbx-apikey"] == "key"
    assert server.connections == 1


@pytest.mark.parametrize(("idle_s", "connections"), [(IDLE_S_MAX - 1, 1), (IDLE_S_MAX + 1, 2)])
async def test_an_idle_connection_ages_by_the_clock_of_the_loop(
    idle_s: int, connections: int, autojump_clock: MockClock
) -> None:
    net, server = MemoryNet(), Server()
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
        http = HttpxPort(net)
        for _ in range(2):
            await http.request("GET", f"http://127.0.0.1:{port}/", headers={}, timeout_s=2)
            await trio.sleep(idle_s)
        await http.aclose()
        nursery.cancel_scope.cancel()
    assert server.connections == connections


async def test_lost_and_late_replies_are_unknown_outcomes(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    server = Server()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            http = HttpxPort(net)
            for path in ("lost", "slow"):
                with pytest.raises(NoAnswer):
                    await http.request(
                        "POST", f"http{s}://127.0.0.1:{port}/{path}", headers={}, timeout_s=0.3
                    )
            await http.aclose()
            nursery.cancel_scope.cancel()


async def test_nobody_listening_is_not_sent(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    http = HttpxPort(net)
    with trio.fail_after(10), pytest.raises(NotSent):
        await http.request("POST", f"http{s}://127.0.0.1:9/x", headers={}, timeout_s=2)
    await http.aclose()


async def test_cancelled_requests_do_not_leak_slots() -> None:
    from lowcap.net.net import MemoryNet

    net = MemoryNet()
    server = Server()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            http = HttpxPort(net, connections_max=2)
            for _ in range(5):
                async with trio.open_nursery() as crowd:
                    for _ in range(6):
                        crowd.start_soon(_try_slow, http, port)
                    await trio.sleep(0.05)
                    crowd.cancel_scope.cancel()
            reply = await http.request("GET", f"http://127.0.0.1:{port}/x", headers={}, timeout_s=2)
            assert reply.status == 200
            await http.aclose()
            nursery.cancel_scope.cancel()


async def _try_slow(http: HttpxPort, port: int) -> None:
    await http.request("GET", f"http://127.0.0.1:{port}/slow", headers={}, timeout_s=2)
