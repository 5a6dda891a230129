"""``lowcapctl panic --direct``: asked for here, done in a room of its own."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from lowcap.control.client import CallFailed
from lowcap.control.protocol import Json
from lowcap.core.plain import plain
from lowcap.terminal.output import json_text

WORD = "FLATTEN"


def panic_directly(
    params: Json, places: list[Path], *, yes: bool, as_json: bool, timeout_s: float | None
) -> int:
    """Stop and flatten without the daemon; progress line by line, one JSON document at the end.

    Raises:
        LowcapError: it was not confirmed, or it did not end flat with nothing left.
    """
    if not yes:
        _confirm(as_json)
    # Whoever hangs up, or reads no further, does not stop it half way.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def say(line: str) -> None:
        stream = sys.stderr if as_json else sys.stdout
        try:
            stream.write(plain(line) + "\n")
            stream.flush()
        except OSError:
            return

    from lowcap.direct.panic import panic_direct

    done = panic_direct(
        places,
        os.environ,
        say,
        everything=bool(params.get("all")),
        reason=str(params.get("reason") or ""),
        give_up_s=timeout_s or None,
    )
    if as_json:
        click.echo(json_text(done, indent=2))
    else:
        say(f"flat: proved in {done['took_ms']} ms; remove the stop file, then resume, to go on")
    return 0


def _confirm(as_json: bool) -> None:
    """Have the word typed.

    Raises:
        CallFailed: nobody can type it, or another one was typed.
    """
    told = "panic --direct stops the daemon and closes every position of ours at the venue"
    if as_json or not sys.stdin.isatty():
        raise CallFailed(told, hint=f"type {WORD} to go on, or use --yes", code="confirm")
    click.echo(told, err=True)
    typed: str = click.prompt(f"Type {WORD} to go on", default="", show_default=False, err=True)
    if typed.strip() != WORD:
        raise CallFailed("not confirmed, nothing done", code="confirm")
