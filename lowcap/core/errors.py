"""Errors by who must act. Each has a stable code and, for people, a hint."""

from __future__ import annotations


class LowcapError(Exception):
    """A failure with a stable ``code``, one sentence for people and a ``hint`` what to do next."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class ConfigError(LowcapError):
    """The configuration cannot be used; ``faults`` lists every fault with its path."""

    code = "config"

    def __init__(self, faults: list[str], *, hint: str = "") -> None:
        super().__init__("; ".join(faults), hint=hint)
        self.faults = faults


class CommandError(LowcapError):
    """The operator's request cannot be carried out as given."""

    code = "usage"


class LedgerError(LowcapError):
    """The ledger cannot be read or written; nothing may be traded without it."""

    code = "ledger"


class BrokenInvariant(LowcapError):
    """Something that must always hold does not. The daemon stops and restarts into recovery."""

    code = "invariant"


class ConnectionLost(LowcapError):
    """A connection could not be made or has ended; its owner reconnects."""

    code = "connection"


class NotSent(LowcapError):
    """The request never left this process, so it certainly had no effect."""

    code = "not-sent"


class NoAnswer(LowcapError):
    """The request may have arrived but no usable answer came: the outcome is unknown."""

    code = "unknown-outcome"
