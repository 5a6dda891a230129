"""The message catalog: an entry for each id and an id for each entry, and journald compiles it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lowcap.core.logplaces import AREAS
from lowcap.log_commands import catalog
from lowcap.observe.catalog import filled_in, parse_catalog
from lowcap.observe.kinds import KINDS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "contrib/systemd/lowcap.catalog"
LEVELS = {"debug", "info", "warning", "error", "critical"}


def test_each_id_has_an_entry_and_the_reverse() -> None:
    ids = [kind.message_id for kind in KINDS.values()]
    assert len(ids) == len(set(ids))
    assert set(parse_catalog(SOURCE.read_text())) == set(ids)
    assert len(re.findall(r"^-- ", SOURCE.read_text(), re.MULTILINE)) == len(ids)
    for kind in KINDS.values():
        assert re.fullmatch(r"[0-9a-f]{32}", kind.message_id)
        assert kind.area in AREAS
        assert kind.level in LEVELS


def test_each_entry_says_what_it_means_and_what_to_do() -> None:
    assert catalog() == parse_catalog(SOURCE.read_text())
    for entry in catalog().values():
        assert len(entry.subject) > 10
        meaning, _, advice = entry.text.partition("\n\nWhat to do: ")
        assert len(meaning) > 20, entry.subject
        assert advice, entry.subject
        assert "@" not in filled_in(entry.subject + entry.text, {})


def test_kinds_that_the_code_names_exist() -> None:
    named = set()
    for path in (ROOT / "lowcap").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".bind"):
                named |= {
                    word.value.value
                    for word in node.keywords
                    if word.arg == "kind" and isinstance(word.value, ast.Constant)
                }
    assert len(named) >= 8
    assert named <= set(KINDS)


def test_places_are_filled_in() -> None:
    assert filled_in("@A@ and @B_2@, a@b", {"A": "@B_2@"}) == "@B_2@ and ?, a@b"
    with pytest.raises(ValueError, match="twice"):
        parse_catalog(f"-- {'0' * 32}\nSubject: a\n\nb\n-- {'0' * 32}\n")


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="no journalctl here")
def test_the_journal_compiles_it(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    shutil.copy(SOURCE, folder)

    def journalctl(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["journalctl", f"--root={tmp_path}", *words],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    done = journalctl("--update-catalog")
    assert (done.returncode, done.stderr) == (0, "")
    listed = journalctl("--list-catalog").stdout
    assert {line.split()[0] for line in listed.splitlines()} == {
        kind.message_id for kind in KINDS.values()
    }
    (folder / "broken.catalog").write_text("Subject: before any id\n")
    assert journalctl("--update-catalog").returncode == 1


def test_the_page_about_the_log_names_every_area_and_log() -> None:
    page = (ROOT / "docs/logs.md").read_text()
    for kind in KINDS.values():
        (line,) = [row for row in page.splitlines() if row.startswith(f"| `{kind.area}` |")]
        assert f"`{kind.log}`" in line


def test_the_journal_of_the_namespace_is_bounded_and_never_held_back() -> None:
    text = (SOURCE.parent / "journald@lowcap.conf").read_text()
    lines = {line.partition("=")[0]: line.partition("=")[2] for line in text.splitlines()}
    assert lines["RateLimitIntervalSec"] == "0"
    assert lines["SystemMaxFileSize"] == "10M"
    assert lines["SystemMaxUse"]
