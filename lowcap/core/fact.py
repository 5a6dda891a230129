"""The base of all facts."""

from __future__ import annotations

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all ledger bodies; the class name is the record's kind."""
