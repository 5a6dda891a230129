"""The one-liner's connection, against a daemon that the test plays by hand."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from control_kit import fake_daemon

from lowcap.control.client import (
    CallFailed,
    Connection,
    Unreachable,
    is_private,
    private_folder,
    socket_candidates,
)
from lowcap.control.commands import DURATION_S_MAX, parse_duration_s
from lowcap.control.protocol import EXIT_OF_CODE, encode, error, notice, result
from lowcap.core.errors import LowcapError

HELLO = encode(notice("hello", {"protocol": 1, "version": "t", "run": 1}))
Script = Callable[[socket.socket], None]


@contextmanager
def _played(path: Path, script: Script) -> Any:
    """A daemon that carries out ``script`` with its first client, then hangs up."""
    with fake_daemon(path) as listening:

        def play() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.settimeout(5)
                script(peer)

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield
        finally:
            thread.join(10)


def _failure_of(path: Path, script: Script, method: str, timeout_s: float = 5) -> LowcapError:
    with _played(path, script):
        try:
            connection = Connection([path], timeout_s)
        except LowcapError as failure:
            return failure
        try:
            connection.call(method, {})
        except LowcapError as failure:
            return failure
        finally:
            connection.close()
    raise AssertionError("it went well")


def test_a_call_and_its_reply(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(HELLO)
        peer.recv(4096)
        reply = encode(notice("event", {"seq": 1})) + encode(result(1, {"fine": True}))
        for at in range(len(reply)):
            peer.sendall(reply[at : at + 1])
        peer.recv(4096)

    with _played(tmp_path / "s", script):
        connection = Connection([tmp_path / "s"], 5)
        assert connection.hello["version"] == "t"
        assert connection.call("status", {}) == {"fine": True}
        connection.close()


def test_no_answer_in_time_is_an_unknown_outcome(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(HELLO)
        peer.recv(4096)
        peer.recv(4096)

    failure = _failure_of(tmp_path / "s", script, "close", timeout_s=0.2)
    assert EXIT_OF_CODE[failure.code] == 6
    assert "outcome unknown" in failure.message


def test_a_hang_up_after_a_request_to_change_something_is_an_unknown_outcome(
    tmp_path: Path,
) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(HELLO)
        peer.recv(4096)

    assert EXIT_OF_CODE[_failure_of(tmp_path / "s", script, "panic").code] == 6
    assert EXIT_OF_CODE[_failure_of(tmp_path / "t", script, "status").code] == 3


def test_a_reset_before_the_request_is_sent_is_no_silence(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(HELLO)

    with _played(tmp_path / "s", script):
        connection = Connection([tmp_path / "s"], 5)
    with pytest.raises(Unreachable, match="not sent"):
        connection.call("panic", {})
    connection.close()


def test_a_daemon_without_a_greeting_is_unreachable(tmp_path: Path) -> None:
    def silent(peer: socket.socket) -> None:
        peer.recv(1)

    failure = _failure_of(tmp_path / "s", silent, "status", timeout_s=0.2)
    assert isinstance(failure, Unreachable)
    assert "does not answer" in failure.message
    assert isinstance(_failure_of(tmp_path / "t", lambda peer: None, "status"), Unreachable)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\n", b"[]\n", b"\xff\n", b"\n"])
def test_something_else_on_the_socket_is_named(tmp_path: Path, greeting: bytes) -> None:
    failure = _failure_of(tmp_path / "s", lambda peer: peer.sendall(greeting), "status")
    assert "no lowcap daemon" in failure.message


def test_another_protocol_and_a_refusal_are_told(tmp_path: Path) -> None:
    other = encode(notice("hello", {"protocol": 9}))
    failure = _failure_of(tmp_path / "s", lambda peer: peer.sendall(other), "status")
    assert failure.code == "version"
    refusal = encode(error(None, "permission", "no", "join"))
    failure = _failure_of(tmp_path / "t", lambda peer: peer.sendall(refusal), "status")
    assert (failure.code, failure.message, failure.hint) == ("permission", "no", "join")
    assert EXIT_OF_CODE[failure.code] == 5


def test_events_end_with_the_daemons_reason(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(HELLO + encode(notice("event", {"seq": 5})))
        peer.sendall(encode(notice("bye", {"reason": "too slow"})))

    with _played(tmp_path / "s", script):
        connection = Connection([tmp_path / "s"], 5)
        events = connection.events()
        assert next(events) == {"seq": 5}
        with pytest.raises(CallFailed) as caught:
            next(events)
        assert caught.value.hint == "too slow"
        connection.close()


# -- where the socket is looked for ------------------------------------------------


def test_each_place_tried_is_named_with_its_reason(tmp_path: Path) -> None:
    refused = tmp_path / "refused"
    with fake_daemon(refused):
        pass  # its file stays, nobody listens
    (tmp_path / "plain").touch()
    with pytest.raises(Unreachable) as caught:
        Connection([tmp_path / "none", refused, tmp_path / "plain"], 1)
    for text in ("none (No such file", "refused (Connection refused", "plain (Connection refused"):
        assert text in caught.value.message
    assert "lowcapd" in caught.value.hint


def test_no_permission_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        monkeypatch.setattr(socket, "socket", _Forbidding)
    else:
        (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(CallFailed) as caught:
        Connection([tmp_path / "none", tmp_path / "locked" / "s", tmp_path / "nor"], 1)
    assert caught.value.code == "permission"
    assert "group lowcap" in caught.value.hint
    for name in ("none", "locked", "nor"):
        assert name in caught.value.message


class _Forbidding(socket.socket):
    def connect(self, address: Any, /) -> None:
        if "locked" in address:
            raise PermissionError(13, "Permission denied")
        super().connect(address)


def test_candidates_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket_candidates("/a", {"LOWCAP_SOCKET": "/b"}) == [Path("/a")]
    assert socket_candidates("", {"LOWCAP_SOCKET": "/b", "XDG_RUNTIME_DIR": "/c"}) == [Path("/b")]
    places = socket_candidates("", {"XDG_RUNTIME_DIR": "/c", "TMPDIR": "/t"})
    assert [str(place) for place in places] == [
        "/c/lowcap/control.sock",
        "/run/lowcap/control.sock",
        f"/t/lowcap-{os.getuid()}/control.sock",
    ]


def test_a_folder_that_others_can_change_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = private_folder({"TMPDIR": str(tmp_path)})
    assert not is_private(folder)
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    with fake_daemon(folder / "control.sock"):
        with pytest.raises(Unreachable, match="not your folder"):
            Connection([folder / "control.sock"], 1)
        folder.chmod(0o700)
        assert is_private(folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert not is_private(link)


# -- durations -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30s", 30), ("30m", 1800), ("2h", 7200), ("720h", 2592000)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "0", "0m", "-5s", "+5", "1.5h", "5 m", "1_0", "٣m", "1d", "nan", "9" * 5000,
     f"{DURATION_S_MAX + 1}", "999999999h"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration_s(text)
