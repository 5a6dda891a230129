"""``lowcapctl``: one-liners, commands on standard input, and the door to the REPL.

A one-liner loads neither Trio nor httpx nor prompt-toolkit: it must be there
at once when it is needed most.
"""

from __future__ import annotations

import os
import sys

from lowcap.control.protocol import EXIT_OF_CODE
from lowcap.core.errors import LowcapError
from lowcap.terminal.carry import EXIT_FAILED, run_command
from lowcap.terminal.options import Options
from lowcap.terminal.output import OutputGone, complain, finish, json_text, say
from lowcap.terminal.quick import quickly

EXIT_INTERRUPTED = 130


def call(words: list[str], inherited: Options | None = None) -> int:
    """Run one command line; returns its exit code, errors told on stderr (or as JSON).

    ``inherited`` are the options of the script that the line stands in.
    """
    as_json = "--json" in words or bool(inherited and inherited.as_json)
    try:
        quick = quickly(words, inherited or Options(), os.environ)
        if quick is not None:
            code = run_command(*quick)
        else:
            from lowcap.terminal.app import run_words

            code = run_words(words, inherited, as_json)
        finish()
    except LowcapError as error:
        tell_error(error.message, error.hint, error.code, as_json)
        return EXIT_OF_CODE.get(error.code, EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OutputGone:
        return 0  # whoever read our output has had enough
    return code


def tell_error(message: str, hint: str, code: str, as_json: bool) -> None:
    """An error on stderr, or as JSON on standard output."""
    if not as_json:
        complain(message, hint)
        return
    try:
        say(json_text({"error": {"code": code, "message": message, "hint": hint}}))
        finish()
    except OutputGone:
        return  # the exit code still tells


def main() -> None:
    """Entry point of ``lowcapctl``."""
    code = call(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
