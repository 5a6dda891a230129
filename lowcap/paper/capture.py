"""Captures: JSON lines of frames, market prices and faults, plain or gzipped."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from lowcap.core.errors import ConfigError
from lowcap.core.money import decimal_from_wire
from lowcap.paper.feedfaults import fault_in
from lowcap.paper.prices import MarketLine

_GZIP = 16 + zlib.MAX_WBITS


class CaptureLine(Struct):
    """A line of a capture: a feed's frame, a market stream's, or a fault, at a wall time.

    ``seconds`` and ``count`` belong to a fault (``feedfaults.KINDS``). Keys
    that are not named here are ignored.
    """

    t_ms: int
    frame: msgspec.Raw = msgspec.Raw(b"")
    feed: str = ""
    stream: str = ""
    fault: str = ""
    seconds: float = 0
    count: int = 1

    def wire_frame(self) -> bytes:
        """The frame as it stands on the wire: JSON text is kept, a JSON string is bare text."""
        raw = bytes(self.frame)
        if raw.startswith(b'"'):
            return msgspec.json.decode(raw, type=str).encode()
        return raw


class _Mark(Struct):
    s: str
    p: str


def read_capture(paths: Iterable[Path]) -> list[CaptureLine]:
    """All lines of one or more captures in order of time; ``.gz`` files are unpacked.

    A gzip file may consist of several members. Where its writer was cut off in
    the last one, the whole lines before the tear are read.

    Raises:
        ConfigError: a line that is none, with file and number.
    """
    lines: list[CaptureLine] = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError([f"{path}: {error.strerror}"]) from error
        if path.suffix == ".gz":
            try:
                data = _unpacked(data)
            except zlib.error as error:
                raise ConfigError([f"{path}: not a gzip file, or damaged: {error}"]) from error
        lines.extend(_lines(path, data))
    return sorted(lines, key=lambda line: line.t_ms)


def _unpacked(data: bytes) -> bytes:
    """What the gzip members hold, up to the last whole line where the last member is torn."""
    whole = bytearray()
    while data := data.lstrip(b"\0"):  # zeros may pad a member
        member = zlib.decompressobj(_GZIP)
        whole += member.decompress(data)
        if not member.eof:
            return bytes(whole[: whole.rfind(b"\n") + 1])
        data = member.unused_data
    return bytes(whole)


def _lines(path: Path, data: bytes) -> Iterator[CaptureLine]:
    decoder = msgspec.json.Decoder(CaptureLine)
    for number, text in enumerate(data.splitlines(), start=1):
        if not text.strip():
            continue
        try:
            text.decode()  # the frame is kept as it is, and so not looked into
            line = decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError([f"{path}:{number}: {error}"]) from error
        wrong = _wrong(line)
        if wrong:
            raise ConfigError([f"{path}:{number}: {wrong}"])
        yield line


def _wrong(line: CaptureLine) -> str:
    """Why a well-formed line cannot be played, or nothing."""
    if line.fault:
        if not line.feed:
            return "a fault needs a feed"
        return fault_in(line.feed, line.fault, line.seconds, line.count)
    return "" if line.wire_frame() else "neither a frame nor a fault"


def market_lines(lines: Iterable[CaptureLine]) -> tuple[MarketLine, ...]:
    """The mark prices that a capture dictates."""
    found = []
    for line in lines:
        if line.stream:
            mark = msgspec.json.decode(line.frame, type=_Mark)
            found.append(MarketLine(line.t_ms, mark.s, decimal_from_wire(mark.p)))
    return tuple(found)
