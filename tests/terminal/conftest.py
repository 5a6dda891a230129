"""A real daemon for the tests of each file: what they use up of the venue's limits is their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from repl_kit import COLUMNS, STATUS, Open, ReplSession
from terminal_kit import Daemon, FakeDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("d"))
    try:
        made.start()
        yield made
    finally:
        assert made.stop() == 0, (made.folder / "log").read_text()[-2_000:]
        assert "Traceback" not in (made.folder / "log").read_text()


@pytest.fixture
def open_repl(tmp_path: Path) -> Iterator[Open]:
    opened: list[ReplSession] = []

    def start(socket: Path, *, columns: int = COLUMNS, **environ: str) -> ReplSession:
        session = ReplSession(tmp_path, socket, columns=columns, **environ)
        opened.append(session)
        return session

    yield start
    for session in opened:
        session.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    """A daemon that is live and armed, with two positions."""
    made = FakeDaemon(tmp_path / "f.sock")
    made.answers["status"] = {"value": STATUS}
    made.answers["logs"] = {"value": []}
    yield made
    made.close()
