"""Keys of feeds: found where they should be, shown to the server, and seen by nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from feed_kit import KEY, NEWS, Listener, Server, feed_of, key_in, play

from lowcap.core.errors import ConnectionLost
from lowcap.feeds.keys import KEY_BYTES_MAX, hidden, hiding, read_key, scrubbed
from lowcap.feeds.session import NewsSession

LOGIN = f"login {KEY}".encode()


# -- where keys come from ------------------------------------------------------------


def test_a_key_file(tmp_path: Path) -> None:
    assert read_key("tokyo", "login", key_in(tmp_path), "", {}) == KEY
    assert read_key("tokyo", "none", key_in(tmp_path), "", {}) == ""
    assert read_key("tokyo", "header", key_in(tmp_path, mode=0o400), "", {}) == KEY


def test_an_environment_variable() -> None:
    assert read_key("tokyo", "query", "", "TREE_KEY", {"TREE_KEY": f" {KEY}\n"}) == KEY
    assert read_key("tokyo", "query", "", "TREE_KEY", {}) == ""
    assert read_key("tokyo", "query", "", "TREE_KEY", {"TREE_KEY": ""}) == ""
    with pytest.raises(ConnectionLost, match="environment TREE_KEY: expected one word") as caught:
        read_key("tokyo", "query", "", "TREE_KEY", {"TREE_KEY": "two words"})
    assert "two words" not in str(caught.value)


def test_a_credential_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(folder), "TREE_KEY": "from-environment"}
    key_file = key_in(tmp_path)
    assert read_key("tokyo", "login", key_file, "", environ) == KEY
    (folder / "feed-tokyo").write_text("from-credentials\n")
    (folder / "feed-tokyo").chmod(0o440)  # systemd's access list shows as group bits
    assert read_key("tokyo", "login", key_file, "", environ) == "from-credentials"
    assert read_key("tokyo", "login", "", "TREE_KEY", environ) == "from-credentials"
    assert read_key("phoenix", "login", "", "TREE_KEY", environ) == "from-environment"


def test_without_any_key() -> None:
    for auth in ("login", "header", "query"):
        assert read_key("tokyo", auth, "", "", {}) == ""
    with pytest.raises(ConnectionLost, match=r"no key: set feed\.twitter\.key_file"):
        read_key("twitter", "bearer", "", "", {})
    with pytest.raises(ConnectionLost, match="no key: set X_TOKEN"):
        read_key("twitter", "bearer", "", "X_TOKEN", {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o601])
def test_a_key_file_that_others_can_use(tmp_path: Path, mode: int) -> None:
    key_file = key_in(tmp_path, mode=mode)
    with pytest.raises(ConnectionLost, match=f"readable by others; chmod 600 {key_file}"):
        read_key("tokyo", "login", key_file, "", {})


def test_a_key_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file = key_in(tmp_path)
    if os.geteuid() == 0:
        os.chown(key_file, 12_345, 12_345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(ConnectionLost, match="of another user"):
        read_key("tokyo", "login", key_file, "", {})


def test_what_is_no_key_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path, pipe):
        with pytest.raises(ConnectionLost, match="not a regular file"):
            read_key("tokyo", "login", str(path), "", {})
    with pytest.raises(ConnectionLost, match="No such file"):
        read_key("tokyo", "login", str(tmp_path / "none"), "", {})
    with pytest.raises(ConnectionLost, match="not a path"):
        read_key("tokyo", "login", "a\0b", "", {})


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"\xff\xfe\x00", b"two\nlines", b"two words", "schlüssel".encode(), b"a\x00b",
     b"a\tb", b"a\x7fb"],
)  # fmt: skip
def test_a_key_that_is_no_word(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConnectionLost, match="expected one word of plain characters") as caught:
        read_key("tokyo", "login", key_in(tmp_path, content), "", {})
    assert "schl" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_endless_key_file_is_not_read_whole(tmp_path: Path) -> None:
    assert (
        len(read_key("tokyo", "login", key_in(tmp_path, b"x" * 100_000), "", {})) <= KEY_BYTES_MAX
    )


# -- hiding ----------------------------------------------------------------------------


def test_hiding() -> None:
    assert hidden("bad key a+b, a%2Bb", "a+b") == "bad key ***, ***"
    assert hidden("nothing", "") == "nothing"
    assert scrubbed(b'{"k":"a+b"}', b"a+b") == b'{"k":"***"}'
    assert scrubbed(b"ab", b"") == b"ab"
    with pytest.raises(ConnectionLost) as caught, hiding("a+b"):
        raise ConnectionLost("bad key a+b")
    assert (caught.value.message, str(caught.value)) == ("bad key ***", "bad key ***")
    assert "a+b" not in repr(caught.value)


# -- how they are shown ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path", "header", "first"),
    [
        ({"auth": "login"}, "/x", None, LOGIN),
        ({"auth": "header", "format": "synoptic"}, "/x", KEY, b"ping"),
        ({"auth": "query", "format": "synoptic"}, f"/x?apiKey={KEY}", None, b"ping"),
        ({"auth": "query", "url": "ws://127.0.0.1:40000/x?a=1"}, f"/x?a=1&apiKey={KEY}", None,
         b"ping"),
        ({"auth": "none"}, "/x", None, b"ping"),
    ],
)  # fmt: skip
async def test_a_key_is_shown_in_one_way_only(
    autojump_clock: trio.testing.MockClock,
    tmp_path: Path,
    changes: dict[str, Any],
    path: str,
    header: str | None,
    first: bytes,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(20)
        assert server.paths == [path]
        assert server.headers[0].get("x-api-key") == header
        assert server.texts()[0] == first
        told = repr((session.status, listener.changes, listener.frames, vars(session)))
        assert KEY not in told

    await play(feed_of(key_file=key_in(tmp_path), **changes), server.handle, act)


async def test_a_key_in_an_address_is_escaped(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        assert server.paths == ["/x?apiKey=a%26b%23c%2Fd"]

    feed = feed_of(auth="query", key_file=key_in(tmp_path, b"a&b#c/d"))
    await play(feed, server.handle, act)


async def test_the_login_comes_first_at_every_connection(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.stay_s = 40
        await trio.sleep(45)
        assert server.texts() == [LOGIN, b"ping", b"ping", LOGIN]

    server.answers[LOGIN] = b'{"user":{}}'
    await play(feed_of(auth="login", key_file=key_in(tmp_path)), server.handle, act)


async def test_a_login_that_nobody_answers_is_said_again(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(31)
        assert server.texts() == [LOGIN, LOGIN, b"ping", LOGIN, b"ping"]
        server.send(NEWS)
        await trio.sleep(30)
        assert server.texts()[5:] == [b"ping", b"ping"]

    await play(feed_of(auth="login", key_file=key_in(tmp_path)), server.handle, act)


@pytest.mark.parametrize("auth", ["login", "header", "query"])
async def test_without_a_key_it_connects_and_says_so(
    autojump_clock: trio.testing.MockClock, auth: str
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(290)
        assert set(server.texts()) == {b"ping"}
        assert session.status.state == "up"
        assert "without a key" in session.status.why
        assert "TREE_KEY" in session.status.why
        await trio.sleep(20)
        assert session.status.state == "stale"
        server.send(NEWS)
        await trio.sleep(1)
        assert "without a key" in session.status.why

    await play(feed_of(auth=auth, key_env="TREE_KEY", stale_s=300), server.handle, act)


async def test_a_missing_key_file_is_named_and_read_again(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    path, server = tmp_path / "key", Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(5)
        assert server.opened_s == []
        assert session.status.state == "down"
        assert str(path) in session.status.why
        path.touch(mode=0o600)
        path.write_text("late\n")
        await trio.sleep(40)
        assert session.status.state == "up"
        assert server.texts()[0] == b"login late"

    await play(feed_of(auth="login", key_file=str(path)), server.handle, act)


# -- a peer that quotes it ------------------------------------------------------------------


async def test_a_key_that_a_server_quotes_goes_no_further(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()
    server.answers = {LOGIN: f"Invalid key {KEY}".encode()}

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        assert listener.frames == [b"Invalid key ***"]

    await play(feed_of(auth="login", key_file=key_in(tmp_path)), server.handle, act)


async def test_a_key_in_a_closing_word_goes_no_further(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        socket: Any = server.wires[-1]
        with trio.move_on_after(1):
            await socket._socket.aclose(1008, f"key {KEY} is unknown")
        await trio.sleep(1)
        assert "1008 key *** is unknown" in listener.said()
        assert KEY not in listener.said()

    await play(feed_of(auth="login", key_file=key_in(tmp_path)), server.handle, act)


async def test_no_failure_names_the_key(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server()
    server.refuse = f"key {KEY} is unknown"

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(30)
        assert session.status.state == "down"
        assert KEY not in listener.said() + session.status.why

    for auth in ("query", "header", "login"):
        feed = feed_of(auth=auth, key_file=key_in(tmp_path))
        await play(feed, server.handle, act)
        await play(feed, None, act)
