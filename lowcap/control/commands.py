"""The command table: one entry serves the one-liner, the REPL, its help and its completion."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, TRADE, VIEW, Argument, Command, Option
from lowcap.control.words_config import CONFIG
from lowcap.control.words_gauge import GAUGES
from lowcap.control.words_logs import LOGS
from lowcap.control.words_look import LOOK
from lowcap.control.words_machine import MACHINE
from lowcap.control.words_news import NEWS
from lowcap.control.words_notify import NOTIFY
from lowcap.control.words_service import SERVICE
from lowcap.control.words_shell import SHELL
from lowcap.control.words_trade import TRADING

__all__ = [
    "ADMIN",
    "ALIAS_FLAGS",
    "BY_NAME",
    "COMMANDS",
    "TRADE",
    "VIEW",
    "Argument",
    "Command",
    "Option",
    "parse_duration_s",
]

COMMANDS: tuple[Command, ...] = (
    *(*LOOK, *GAUGES, *LOGS, *NEWS, *TRADING, *CONFIG, *SERVICE),
    *(*NOTIFY, *MACHINE, *SHELL),
)

BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS} | {
    alias: command for command in COMMANDS for alias in command.aliases
}
DURATION_S_MAX = 30 * 86_400
ALIAS_FLAGS: dict[str, tuple[str, ...]] = {
    "reload": ("reload",),
    "close-all": ("--all",),
    "closeall": ("--all",),
}


def parse_duration_s(text: str) -> int:
    """``90``, ``30s``, ``30m`` or ``2h`` in seconds.

    Raises:
        ValueError: anything else, and more than ``DURATION_S_MAX``.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    if not (number.isascii() and number.isdecimal() and len(number) <= 8):
        raise ValueError(text)
    seconds = int(number) * unit
    if not 0 < seconds <= DURATION_S_MAX:
        raise ValueError(text)
    return seconds
