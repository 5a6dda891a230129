"""A real daemon for the tests of each file: what they use up of the venue's limits is their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from terminal_kit import Daemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("d"))
    try:
        made.start()
        yield made
    finally:
        assert made.stop() == 0, (made.folder / "log").read_text()[-2_000:]
        assert "Traceback" not in (made.folder / "log").read_text()
