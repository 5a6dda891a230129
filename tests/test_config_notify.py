"""Faults in the configuration of alerts, each named by its path."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_kit import SHIPPED, Room

from lowcap.settings import Notify

HOOK = '[notify.sink.hook]\nkind = "webhook"\nenabled = true\nurl = "https://x.example/a"\n'
MAIL = '[notify.sink.mail]\nkind = "exec"\nenabled = true\ncommand = ["/bin/mail", "ops"]\n'
BOT = '[notify.sink.telegram]\nenabled = true\nchat = "-100123"\n'


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_as_shipped_every_sink_is_off_and_points_at_its_service(room: Room) -> None:
    notify = room.load().notify
    assert {name: sink.enabled for name, sink in notify.sink.items()} == {
        "pushover": False, "telegram": False,
    }  # fmt: skip
    assert all(sink.url.startswith("https://") for sink in notify.sink.values())
    built_in = Notify()
    assert (notify.level, notify.coalesce_s) == (built_in.level, built_in.coalesce_s)
    assert (notify.quiet_hours, notify.daily) == ("", "")


def test_the_examples_in_the_shipped_file_are_valid(room: Room) -> None:
    start = SHIPPED.index("# [notify.sink.hook]")
    block = SHIPPED[start : SHIPPED.index("[coin_overrides]")]
    room.add("sinks.toml", "\n".join(line.removeprefix("# ") for line in block.splitlines()))
    sinks = room.load().notify.sink
    assert sinks["hook"].events == ("order.*", "position.*", "stop.missing")
    assert sinks["mail"].command[0] == "/usr/local/bin/mail-alert"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[notify]\nlevel = "loud"', "notify.level: expected one of debug, info"),
        ("[notify]\ncoalesce_s = -1", "notify.coalesce_s: expected 0 to 86400"),
        ('[notify]\nquiet_hours = "22-7"', "notify.quiet_hours: expected hours like"),
        ('[notify]\nquiet_hours = "22:00-07:00 Moon"', "notify.quiet_hours: no time zone 'Moon'"),
        ('[notify]\ndaily = "25:00"', "notify.daily: expected a time like"),
        (HOOK.replace("webhook", "pigeon"), "notify.sink.hook.kind: expected one of pushover"),
        (HOOK.replace("sink.hook", 'sink."../x"'), "notify.sink.../x: expected a name of letters"),
        (HOOK.replace("https://x.example", "http://x.example"),
         "notify.sink.hook.url: expected https:// away from loopback, not http://"),
        (HOOK.replace("https://x.example", "https://me:pw@x.example"),
         "notify.sink.hook.url: an address carries no user name"),
        ('[notify.sink.hook]\nkind = "webhook"\nenabled = true',
         "notify.sink.hook.url: expected an address, or enabled = false"),
        (HOOK + 'events = ["order.filed"]',
         "notify.sink.hook.events: no event 'order.filed'; did you mean 'order.filled'?"),
        (HOOK + 'events = ["qqqq"]', "no event 'qqqq'; docs/alerts.md lists them"),
        (HOOK + 'min_level = "x"', "notify.sink.hook.min_level: expected one of"),
        (HOOK + 'quiet_hours = "x"', "notify.sink.hook.quiet_hours: expected hours like"),
        (HOOK + "coalesce_s = 1_000_000", "notify.sink.hook.coalesce_s: expected 0 to"),
        (HOOK + 'key_env = "1x"', "notify.sink.hook.key_env: expected the name of"),
        (HOOK + 'key_env = "X"\nkey_file = "/x"', "expected key_file or key_env, not both"),
        (HOOK + 'key_file = "a\\u0000b"', "notify.sink.hook.key_file: expected a path"),
        (HOOK + 'user_env = "X"', "a sink of kind webhook has no user"),
        (HOOK + 'chat = "5"', "notify.sink.hook.chat: only a sink of kind telegram has one"),
        (HOOK + 'command = ["/x"]', "notify.sink.hook.command: only a sink of kind exec has one"),
        (HOOK + 'token = "x"', "notify.sink.hook: unknown key token"),
        (MAIL.replace("/bin/mail", "mail"), "notify.sink.mail.command: expected the program's"),
        (MAIL.replace('"/bin/mail", "ops"', ""), "expected a program and its arguments"),
        (MAIL + 'url = "https://x"', "a sink of kind exec has a command, no url"),
        (MAIL + 'key_env = "X"', "a sink of kind exec has no key"),
        (BOT.replace("-100123", ""), "notify.sink.telegram.chat: expected the chat to write to"),
        (BOT.replace("-100123", "my chat"), "notify.sink.telegram.chat: expected a chat's number"),
        (BOT + 'url = "https://api.telegram.org?token=x"',
         "notify.sink.telegram.url: expected an address without ? and #"),
        ("".join(HOOK.replace("sink.hook", f"sink.h{n}") for n in range(9)),
         "notify.sink: expected at most 8 enabled sinks"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_path(room: Room, text: str, fault: str) -> None:
    room.add("alerts.toml", text)
    faults = room.faults()
    assert any(fault in each for each in faults), faults
    assert len(faults) == 1


def test_a_loopback_service_needs_no_tls_and_the_environment_sets_the_level(room: Room) -> None:
    room.add("alerts.toml", HOOK.replace("https://x.example", "http://127.0.0.1:8000"))
    assert room.load(LOWCAP_NOTIFY__LEVEL="error").notify.level == "error"
