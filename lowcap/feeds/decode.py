"""From the bytes of a frame to a typed value, or to why it is none. Never raises."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lowcap.core.messages import NotNews

T = TypeVar("T")
FRAME_BYTES_MAX = 262_144
HEARTBEATS = (b"ping", b"pong")


def read_frame(decoder: msgspec.json.Decoder[T], frame: bytes) -> T | NotNews:
    """The value of a frame. Heartbeats are no news; what cannot be read is a fault."""
    if frame in HEARTBEATS:
        return NotNews("heartbeat")
    if len(frame) > FRAME_BYTES_MAX:
        return NotNews(f"larger than {FRAME_BYTES_MAX} bytes", fault=True)
    try:
        return decoder.decode(frame)
    except msgspec.ValidationError as error:
        return NotNews(f"wrong type: {error}", fault=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return NotNews(f"not JSON: {error}", fault=True)
