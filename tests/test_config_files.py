"""The one file that the daemon writes: however somebody wrote it before, nothing else is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_kit import Room

from lowcap.config_files import ConfigFiles
from lowcap.config_tree import merge, parse
from lowcap.config_values import keys_of, overlay
from lowcap.core.errors import CommandError, ConfigError

BY_HAND = {
    "empty": "",
    "dotted": "order.collar_pct = 1.25\n",
    "inline": "order = { collar_pct = 1.25 }\n",
    "inline triggers": "trigger = [{ id = 'elon_btc', cooldown_s = 5 }]\n",
    "split": (
        "[order]\ncollar_pct = 1.25\n[protect_for.majors]\ntrail_pct = 1.1\n"
        "[sizing]\nscale = 1\n[protect_for.memes]\ntrail_pct = 2.0\n"
    ),
    "triggers": (
        "[[trigger]]\nid = 'elon_btc' # x\n[trigger.match]\nany_of = ['a']\n"
        "[[trigger]]\nid = 's1_trust'\ncooldown_s = 4\n"
    ),
    "dotted trigger": "[[trigger]]\nid = 'elon_btc'\nmatch.any_of = ['a']\n",
    "other line ends": "[order]\r\ncollar_pct = 1.25\r\n",
    "no line end": "[order]\ncollar_pct = 1.25",
    "tabs": "\t[order]\n\tcollar_pct\t=\t1.25\n",
    "no table": "order = 5\n",
    "no list": "trigger = 5\n",
    "no id": "[[trigger]]\nid = 4\n",
    "byte order mark": "\ufeff[order]\n",
}
CHANGES: list[tuple[tuple[str, ...], Any]] = [
    (("order", "retries_max"), 1),
    (("order", "collar_pct"), 1),
    (("trigger", "elon_btc", "cooldown_s"), 9),
    (("trigger", "elon_btc", "match", "any_of"), ["b", "c"]),
    (("trigger", "elon_btc", "match", "authors"), [{"handle": "a", "id": "1"}]),
    (("trigger", "s1_trust", "match", "named", "most"), 3),
    (("protect_for", "majors", "stop_pct"), 3),
    (("protect_for", "new", "symbols"), ["XRPUSDT"]),
    (("hedge",), ["x"]),
    (("sizing", "symbol_usd", "XUSDT"), 5),
]


@pytest.mark.parametrize("style", BY_HAND)
def test_a_change_is_exactly_the_change_or_is_refused(tmp_path: Path, style: str) -> None:
    room = Room(tmp_path)
    done = 0
    for parts, value in CHANGES:
        room.add("90-runtime.toml", "")
        files = ConfigFiles(room.path, {})
        files()
        room.add("90-runtime.toml", BY_HAND[style])
        path = room.folder / "config.d" / "90-runtime.toml"
        before = path.read_text(encoding="utf-8")
        try:
            files.keep(files.draft_with(overlay(parts, value)))
        except (CommandError, ConfigError):
            assert path.read_text(encoding="utf-8") == before
            continue
        done += 1
        assert parse(path.read_text(), "") == merge(parse(before, ""), overlay(parts, value))
        assert room.load()
        files.keep(files.draft_without(parts))
        kept = set(keys_of(parse(before, ""))) - {parts}
        assert set(keys_of(parse(path.read_text(), ""))) == kept
    wrong = ("no table", "no list", "no id", "byte order mark")
    assert (done == 0) if style in wrong else done >= 5


def test_what_cannot_be_edited_says_so(tmp_path: Path) -> None:
    room = Room(tmp_path)
    files = ConfigFiles(room.path, {})
    files()
    room.add("90-runtime.toml", BY_HAND["inline triggers"])
    for parts, value in (CHANGES[3], (("trigger", "s1_trust", "enabled"), False)):
        with pytest.raises(CommandError, match="cannot be changed safely") as caught:
            files.draft_with(overlay(parts, value))
        assert caught.value.hint == "edit it by hand, then config reload"


def test_the_packaged_configuration_is_nobodys_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if Path("/etc/lowcap/config.toml").exists():
        pytest.skip("this machine has a configuration of its own")
    files = ConfigFiles(None, {})
    files()
    with pytest.raises(CommandError, match="packaged configuration"):
        files.draft_with({"order": {"retries_max": 1}})


def test_the_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    room = Room(tmp_path)
    files = ConfigFiles(room.path, {})
    files()
    files.keep(files.draft_with({"log": {"level": "debug"}}))
    assert room.load().log.level == "debug"
    assert [layer.name for layer in files.layers] == ["config.toml", "config.d/90-runtime.toml"]
