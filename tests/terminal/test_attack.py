"""A peer on the control socket of a real daemon that means no good."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from terminal_kit import Daemon

from lowcap.control.commands import COMMANDS

ODD: list[Any] = [
    None, True, 0, -1, 1e308, 10**30, "", "x", "nan", "-inf", "9" * 6_000, "\x00", "\x1b[2J",
    "한국" * 500, "../../etc/passwd", "{0.__class__}", "(a+)+$", "*", [], [[]], {}, {"a": 1},
]  # fmt: skip


@contextmanager
def _connected(daemon: Daemon) -> Iterator[tuple[socket.socket, Any]]:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(15)
        peer.connect(str(daemon.socket))
        with peer.makefile("rb") as lines:
            assert json.loads(lines.readline())["method"] == "hello"
            yield peer, lines


def _healthy(daemon: Daemon) -> None:
    started_s = time.monotonic()
    done = daemon.ctl("status", "--json")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started_s < 3


@pytest.mark.parametrize("method", [command.name for command in COMMANDS])
def test_odd_values_for_every_parameter(daemon: Daemon, method: str) -> None:
    command = next(c for c in COMMANDS if c.name == method)
    names = [a.name for a in command.arguments] + [o.name for o in command.options]
    requests = [
        {"id": number, "method": method, "params": {name: value}}
        for number, (name, value) in enumerate(
            itertools.product([*names, "since", "confirm", "unknown"], ODD)
        )
        if (name, value) != ("confirm", True)
    ]
    for start in range(0, len(requests), 150):
        with _connected(daemon) as (peer, lines):
            for request in requests[start : start + 150]:
                peer.sendall(json.dumps(request).encode() + b"\n")
                reply = json.loads(lines.readline())
                while reply.get("method") == "event":
                    reply = json.loads(lines.readline())  # it follows now
                assert reply["id"] == request["id"]
                code = reply.get("error", {}).get("data", {}).get("code")
                assert code != "internal", (request, reply)
    daemon.ctl("resume", "--reason", "test")
    _healthy(daemon)


def test_random_bytes(daemon: Daemon) -> None:
    for size in (1, 100, 70_000, 1_000_000):
        with _connected(daemon) as (peer, _):
            try:
                peer.sendall(os.urandom(size))
            except OSError:
                continue
    _healthy(daemon)


def test_clients_that_come_and_go(daemon: Daemon) -> None:
    for number in range(150):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(daemon.socket))
            if number % 3:
                peer.send(b'{"id":1,"method":"events","params":{"since":0,"follow":true}}\n')
            if number % 2:
                peer.shutdown(socket.SHUT_RDWR)
    _healthy(daemon)


def test_a_full_house_still_has_room_once_it_leaves(daemon: Daemon) -> None:
    peers = []
    for _ in range(60):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(daemon.socket))
        peers.append(peer)
    done = daemon.ctl("status", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "busy"
    for peer in peers:
        peer.close()
    time.sleep(0.1)
    _healthy(daemon)


def _descriptors(daemon: Daemon) -> int:
    assert daemon.child is not None
    return len(os.listdir(f"/proc/{daemon.child.pid}/fd"))


def test_a_flood_leaks_nothing_and_stopping_stays_quick(daemon: Daemon) -> None:
    before = _descriptors(daemon)
    stop = threading.Event()

    def flood(line: bytes) -> None:
        while not stop.is_set():
            try:
                with _connected(daemon) as (peer, _):
                    while not stop.is_set():
                        peer.sendall(line * 50)
            except (OSError, ValueError):
                continue

    lines = [b"x\n", b'{"id":1,"method":"events","params":{"since":0}}\n', b"[" * 900 + b"\n"]
    threads = [threading.Thread(target=flood, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            started_s = time.monotonic()
            assert daemon.ctl("halt").returncode == 0
            assert time.monotonic() - started_s < 2
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert daemon.ctl("resume", "--reason", "test").returncode == 0
    give_up_s = time.monotonic() + 5
    while _descriptors(daemon) > before and time.monotonic() < give_up_s:
        time.sleep(0.05)
    assert _descriptors(daemon) <= before
