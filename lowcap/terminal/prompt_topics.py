"""Pages of help beside those of the commands."""

from __future__ import annotations

TOPICS: dict[str, str] = {
    "keys": """\
Tab              complete; again for the next one
right arrow      take the grey suggestion
up, down         earlier lines; none that close, flatten or arm
Ctrl-R           search earlier lines
!!               the last line again, with what follows it
F1               help on the command being typed
Ctrl-L           clear the screen
Ctrl-C           drop the line; cancel the command that runs
Ctrl-D           leave
The keys are those of emacs; those of vi with
"set editing-mode vi" in ~/.inputrc.""",
    "states": """\
ACTIVE     entries and exits
REDUCING   exits only: a pause, or something is not as it should be
HALTED     cancels and closes only, until resume with a reason
STOPPING   the daemon is leaving
pause, halt and panic stop entries; resume takes them up again.
status names each hold, and what would lift it.""",
    "danger": """\
panic and close --all ask for a word with the count of positions
(FLATTEN 3), arm asks for ARM: types of error that a key press
cannot make. Such lines are kept in no history. --yes is for
scripts. Ctrl-C does not stop a panic that has begun.""",
    "watch": """\
--watch N after a command that looks shows it anew every N
seconds, where it stands; Ctrl-C ends it.
Examples: positions --watch 2, risk --watch""",
}
