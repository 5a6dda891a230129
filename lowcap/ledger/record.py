"""The line format of the ledger: ``crc32 json``, one record a line."""

from __future__ import annotations

import zlib

import msgspec

from lowcap.core.errors import LedgerError
from lowcap.core.facts import FACT_KINDS, Fact, Record

_CRC_LENGTH = 8
_encoder = msgspec.json.Encoder()


class _Head(msgspec.Struct):
    seq: int
    ts: int
    run: int
    kind: str
    cause: int
    body: msgspec.Raw


_head_decoder = msgspec.json.Decoder(_Head)
_body_decoders = {name: msgspec.json.Decoder(kind) for name, kind in FACT_KINDS.items()}


def encode_line(record: Record) -> bytes:
    """``record`` as one line, its checksum in front."""
    text = _encoder.encode(record)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode_line(line: bytes) -> Record:
    """The record of one line (without its newline).

    Raises:
        LedgerError: the checksum does not fit, or the body is of no known shape.
    """
    crc, space, text = line[:_CRC_LENGTH], line[_CRC_LENGTH : _CRC_LENGTH + 1], line[9:]
    if space != b" " or crc != b"%08x" % zlib.crc32(text):
        raise LedgerError("checksum does not match")
    try:
        head = _head_decoder.decode(text)
        body: Fact = _body_decoders[head.kind].decode(head.body)
    except (msgspec.MsgspecError, KeyError) as error:
        raise LedgerError(f"unknown or malformed record: {error}") from error
    return Record(
        seq=head.seq, ts=head.ts, run=head.run, kind=head.kind, cause=head.cause, body=body
    )
