"""What is measured beside the trades: rates, processor time, the loop's lag, the metrics file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from lowcap.core.facts import Record
from lowcap.core.plain import plain
from lowcap.net.wire import Wire
from lowcap.observe.latency import Latency
from lowcap.observe.process import read_process
from lowcap.observe.tally import Rates, Tally

LOOK_EVERY_S = 1.0
SAMPLE_EVERY = 5
WRITE_EVERY = 15
LAGS_KEPT = 60
# For whoever collects metrics in the daemon's group; never for everybody.
FILE_MODE = 0o640


class Gauges:
    """Looks once a second, away from the flow; every quarter of a minute it writes the file.

    ``totals`` gives the counters whose rates are wanted, ``text`` the file's
    content, ``clients`` the number of operators connected, ``wires`` the
    venue's streams, None where one is down. ``on_fault`` hears once for each
    spell what is wrong; none of it is worth ending for.
    """

    def __init__(self, latency: Latency, tally: Tally, textfile: str) -> None:
        self.latency = latency
        self.tally = tally
        self.clients: Callable[[], int] = lambda: 0
        self.wires: Callable[[], Mapping[str, Wire | None]] = dict
        self.totals: Callable[[], Mapping[str, float]] = dict
        self.text: Callable[[], bytes] = bytes
        self.on_fault: Callable[[str], None] = lambda why: None
        self.fault = ""
        self._textfile = textfile
        self._rates = Rates()
        self._lags_ms: deque[float] = deque(maxlen=LAGS_KEPT)

    async def run(self) -> None:
        """Measure until cancelled."""
        looks = 0
        while True:
            if looks % SAMPLE_EVERY == 0:
                self._look(write=bool(self._textfile) and looks % WRITE_EVERY == 0)
            looks += 1
            due_s = trio.current_time() + LOOK_EVERY_S
            await trio.sleep_until(due_s)
            self._lags_ms.append((trio.current_time() - due_s) * 1000)

    @property
    def readers(self) -> tuple[Callable[[Record], None], ...]:
        """Those that are fed with every ledger record."""
        return self.latency.read, self.tally.read

    @property
    def lag_ms(self) -> float:
        """The longest that the loop has kept us waiting in the last minute."""
        return max(self._lags_ms, default=0.0)

    def per_min(self) -> dict[str, float]:
        """How fast each total grows a minute, over the last minute or since the start."""
        rates = self._rates.per_min(trio.current_time(), self._sampled())
        rates.pop("cpu_s")
        return rates

    def cpu_pct(self) -> float:
        """Processor time in percent of one core, over the last minute or since the start."""
        rates = self._rates.per_min(trio.current_time(), self._sampled())
        return round(rates["cpu_s"] / 60 * 100, 1)

    def _sampled(self) -> dict[str, float]:
        return {**self.totals(), "cpu_s": read_process().cpu_s}

    def _look(self, *, write: bool) -> None:
        try:
            self._rates.sample(trio.current_time(), self._sampled())
            if write:
                replace_file(Path(self._textfile), self.text())
            if write or not self._textfile:
                self.fault = ""
        except OSError as error:
            self._fail(f"{self._textfile}: {error.strerror or error}")
        except Exception as bug:
            # A bug in what only looks is no reason to leave positions alone.
            self._fail(f"a bug: {type(bug).__name__}: {bug}")

    def _fail(self, why: str) -> None:
        if why != self.fault:
            self.on_fault(plain(why))
        self.fault = why


def replace_file(path: Path, content: bytes) -> None:
    """Give a file this content in one step, so that nobody ever reads half of it.

    Raises:
        OSError: the disk refuses; the file is as it was.
    """
    fresh = path.with_name(f".{path.name}.new")
    write_whole(fresh, content)
    fresh.replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of this content, readable by owner and group.

    Raises:
        OSError: the disk refuses, or takes a part only.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags, FILE_MODE)
    try:
        os.fchmod(fd, FILE_MODE)
        if os.write(fd, content) < len(content):
            raise OSError(0, "the disk is full")
    finally:
        os.close(fd)
