"""``lowcapd detect``: frames in, decisions out, one JSON object a line; no daemon, no network."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from lowcap.core.clock import NS_PER_MS
from lowcap.core.errors import ConfigError
from lowcap.core.messages import Failure, Miss, NewsItem, NotNews, Signal, Verdict
from lowcap.detection.admission import DECIDED_MS, Admission
from lowcap.detection.coins import CoinTable, universe_of
from lowcap.detection.rules import Detector
from lowcap.feeds.session import Decoder, decoder_for
from lowcap.paper.contracts import listed_contracts
from lowcap.settings import Settings


class Decision(Struct, frozen=True, kw_only=True):
    """One line of output. ``failed`` says for each trigger that was asked why it did not fire."""

    trigger: str | None = None
    symbols: tuple[str, ...] = ()
    side: str | None = None
    failed: tuple[dict[str, str], ...] = ()


class _Line(Struct):
    feed: str
    frame: msgspec.Raw
    t_ms: int | None = None


_decoder = msgspec.json.Decoder(_Line)


def detect_program(
    frames: Path | None, settings: Settings, universe: Path | None, *, stateless: bool
) -> int:
    """Judge every line of a file, or of standard input; returns the exit code.

    Raises:
        ConfigError: a file cannot be read.
    """
    judge = Judge(settings, table_from(universe, settings), stateless=stateless)
    unreadable = 0
    for line in _lines(frames):
        decision = judge.line(line)
        unreadable += bool(decision.failed and decision.failed[0]["reason"] == "line")
        sys.stdout.write(msgspec.json.encode(decision).decode() + "\n")
    if unreadable:
        click.echo(f"{unreadable} lines are no frames; each has its reason in the output", err=True)
    return 0


def _lines(path: Path | None) -> Iterable[bytes]:
    if path is None or str(path) == "-":
        yield from (line for line in sys.stdin.buffer if line.strip())
        return
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error


def table_from(universe: Path | None, settings: Settings) -> CoinTable:
    """The coin table of a file, else of the contracts that the built-in exchange lists.

    Raises:
        ConfigError: the file is none.
    """
    if universe is None:
        bases = {c.base: symbol for symbol, (c, _) in listed_contracts().items()}
        return CoinTable(bases, settings.coin_overrides)
    try:
        return universe_of(msgspec.json.decode(universe.read_bytes()))
    except OSError as error:
        raise ConfigError([f"{universe}: {error.strerror}"]) from error
    except (ValueError, AttributeError) as error:
        raise ConfigError([f"{universe}: {error}"]) from error


class Judge:
    """Decoders, detector and, unless every frame is judged alone, the dedupe keys.

    A frame counts as received at its line's ``t_ms``; alone, at its own time.
    Every signal counts as traded.
    """

    def __init__(self, settings: Settings, coins: CoinTable, *, stateless: bool) -> None:
        self._feeds = settings.feed
        self._detector = Detector(settings.trigger, settings.hedge, coins, settings.payroll)
        self._enabled = frozenset(t.id for t in settings.trigger if t.enabled)
        self._decoders: dict[str, Decoder] = {}
        self._admission = None if stateless else Admission()

    def line(self, line: bytes) -> Decision:
        """The decision on one line of input. Never raises on what the line holds."""
        try:
            given = _decoder.decode(line)
            raw = bytes(given.frame)
            if raw.startswith(b'"'):
                raw = msgspec.json.decode(raw, type=str).encode("utf-8", "replace")
        except (ValueError, RecursionError) as error:
            return _nothing("line", str(error))
        if given.feed not in self._feeds:
            return _nothing("line", f"no feed {given.feed!r} is configured")
        decoder = self._decoders.get(given.feed)
        if decoder is None:
            decoder = decoder_for(given.feed, self._feeds[given.feed])
            self._decoders[given.feed] = decoder
        item = decoder.decode(raw, 0)
        if isinstance(item, NotNews):
            return _nothing(item.reason)
        return self._decide(
            msgspec.structs.replace(item, received_ns=self._received_ns(item, given))
        )

    def _received_ns(self, item: NewsItem, given: _Line) -> int:
        """When a frame counts as received: alone, at its own time."""
        own = item.time_ms if item.time_ms is not None else given.t_ms
        at_ms = own if self._admission is None or given.t_ms is None else given.t_ms
        return max(at_ms or 0, 0) * NS_PER_MS

    def _decide(self, item: NewsItem) -> Decision:
        verdict = self._detector.explain(item, self._enabled)
        signal = verdict.signal
        if signal is None:
            self._close(tuple(m.decides for m in verdict.misses), item)
            return _no(verdict)
        refused, symbols = self._admit(signal, item)
        if refused is not None:
            return _nothing(refused.reason, refused.detail, signal.trigger)
        return Decision(trigger=signal.trigger, symbols=tuple(sorted(symbols)), side=signal.side)

    def _admit(self, signal: Signal, item: NewsItem) -> tuple[Failure | None, list[str]]:
        """The symbols that are still open, or why none is; what trades is closed."""
        symbols = [target.symbol for target in signal.targets]
        if self._admission is None:
            return None, symbols
        now_ms = item.received_ns // NS_PER_MS
        answer = self._admission.admit(signal, 0, now_ms)
        if isinstance(answer, Failure):
            self._close((signal.decides,), item)
            return answer, []
        self._admission.take(tuple(t.key for t in answer), now_ms + signal.cooldown_s * 1000)
        if signal.once:
            self._admission.take((signal.once,), now_ms + signal.once_s * 1000)
        return None, [target.symbol for target in answer]

    def _close(self, keys: tuple[str, ...], item: NewsItem) -> None:
        """Keys that an item closes without a trade, as the first print of a day does."""
        if self._admission is not None:
            until_ms = item.received_ns // NS_PER_MS + DECIDED_MS
            self._admission.take(tuple(dict.fromkeys(filter(None, keys))), until_ms)


def _no(verdict: Verdict) -> Decision:
    if not verdict.misses:
        return _nothing(verdict.reason, verdict.detail)
    return Decision(failed=tuple(row for miss in verdict.misses for row in _rows(miss)))


def _rows(miss: Miss) -> Iterable[dict[str, str]]:
    for failure in miss.failed:
        yield _row(miss.trigger, failure)


def _row(trigger: str, failure: Failure) -> dict[str, str]:
    row: dict[str, Any] = {"trigger": trigger, "reason": failure.reason, "detail": failure.detail}
    return {key: value for key, value in row.items() if value or key == "reason"}


def _nothing(reason: str, detail: str = "", trigger: str = "") -> Decision:
    return Decision(failed=(_row(trigger, Failure(reason, detail)),))
