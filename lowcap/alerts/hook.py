"""An operator's own program as a sink: an argument list, the alert as JSON on its standard input.

No shell, a bare environment (ours may hold keys), a session of its own, a
deadline; its output is thrown away but for the first words of its complaint.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

import trio

from lowcap.alerts.services import AGAIN, DEAD, REFUSED, SENT, Verdict
from lowcap.core.plain import plain

DEADLINE_S = 10.0
WORDS_BYTES_MAX = 300
REAP_S = 2.0
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ")
_TRY_LATER = 75  # EX_TEMPFAIL


async def run_hook(
    command: tuple[str, ...],
    payload: bytes,
    environ: Mapping[str, str],
    *,
    deadline_s: float = DEADLINE_S,
) -> Verdict:
    """Run ``command`` once: exit 0 is sent, 75 asks for another try, anything else is a refusal."""
    given = {name: environ[name] for name in PASSED_ON if name in environ}
    try:
        process = await trio.lowlevel.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=given,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return Verdict(DEAD, plain(f"{command[0]}: {error.strerror}"))
    words = bytearray()
    try:
        with trio.move_on_after(deadline_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_feed, process, payload)
                nursery.start_soon(_listen, process, words)
                await process.wait()
                # Whatever it left running may hold its pipes: nobody waits for that.
                nursery.cancel_scope.cancel(reason="the program has ended")
    finally:
        await _end(process)
    return _verdict(process.returncode, words, deadline_s)


def _verdict(code: int | None, words: bytearray, deadline_s: float) -> Verdict:
    said = plain(words.decode(errors="replace").strip(), 200)
    if code == 0:
        return Verdict(SENT)
    if code is None or code == -signal.SIGKILL:
        return Verdict(REFUSED, f"killed after {deadline_s:g} s {said}".strip())
    why = f"exit {code} {said}".strip()
    return Verdict(AGAIN if code == _TRY_LATER else REFUSED, why)


async def _feed(process: trio.Process, payload: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(trio.BrokenResourceError):  # it may not want to read
        await process.stdin.send_all(payload)
    await process.stdin.aclose()


async def _listen(process: trio.Process, words: bytearray) -> None:
    """Keep the first words; the rest is read and dropped, so that the program is not stuck."""
    if process.stderr is None:
        return
    with suppress(trio.BrokenResourceError):
        while data := await process.stderr.receive_some(4_096):
            words += data[: WORDS_BYTES_MAX - len(words)]


async def _end(process: trio.Process) -> None:
    """Kill what is left of it, by its own session, and give its pipes back."""
    with trio.move_on_after(REAP_S, shield=True):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                await pipe.aclose()
