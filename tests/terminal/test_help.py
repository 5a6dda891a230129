"""Help, examples and manual pages: made from the command table, and right."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from terminal_kit import ctl

from lowcap.control.commands import BY_NAME, COMMANDS, Command
from lowcap.control.protocol import EXIT_OF_CODE
from lowcap.manual import FOLDER, pages
from lowcap.terminal.app import build
from lowcap.terminal.options import Options
from lowcap.terminal.topics import EXIT_CODES, TOPICS

ROOT = Path(__file__).parents[2]
BESIDE = re.compile(r" (?:&&|\|\||>|\|) ")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_examples_that_can_be_typed(command: Command) -> None:
    assert command.examples
    for example in command.examples:
        ours, *others = BESIDE.split(example)
        lines = [ours, *(other.removeprefix("lowcapctl ") for other in others
                         if other.startswith("lowcapctl "))]  # fmt: skip
        for number, line in enumerate(lines):
            found: list[str] = []

            def carry_out(
                command: Command, params: dict[str, Any], options: Options,
                found: list[str] = found,
            ) -> int:  # fmt: skip
                found.append(command.name)
                return 0

            words = shlex.split(line)
            file_options = {f"--{option.name}" for option in command.options if option.file}
            if file_options & set(words):
                continue  # it names a file that is not here
            build(carry_out).main(words, prog_name="lowcapctl", standalone_mode=False)
            assert found == [BY_NAME[words[0]].name]
            assert number or found == [command.name], "an example shows its own command"


@pytest.mark.parametrize("columns", ["44", "80"])
def test_help_fits_and_names_everything(tmp_path: Path, columns: str) -> None:
    env = {"COLUMNS": columns}
    text = ctl(tmp_path, "help", env=env).stdout
    for name in (*BY_NAME.keys() - {a for c in COMMANDS for a in c.aliases}, *TOPICS):
        assert re.search(rf"^  {re.escape(name)}\s", text, re.MULTILINE), name
    assert max(map(len, text.splitlines())) <= int(columns)
    for name, topic in TOPICS.items():
        text = ctl(tmp_path, "help", name, env=env).stdout
        assert max(map(len, text.splitlines())) <= int(columns)
        joined = " ".join(text.split())
        assert all(word in joined for word, _ in topic.rows)
    text = ctl(tmp_path, "help", "panic", env=env).stdout
    assert "Examples:" in text
    assert "lowcapctl panic --yes" in text
    assert "--direct" in text


def test_help_needs_no_daemon_and_knows_its_way(tmp_path: Path) -> None:
    done = ctl(tmp_path, "help", "pnaic")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'panic'?" in done.stderr
    assert ctl(tmp_path, "help", "emergency-stop").returncode == 0
    rows = json.loads(ctl(tmp_path, "help", "--json").stdout)
    assert [row["name"] for row in rows] == [command.name for command in COMMANDS]
    assert all(row["examples"] and row["help"] for row in rows)


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code, _ in EXIT_CODES}
    assert set(EXIT_OF_CODE.values()) | {0, 1, 130} == explained


# -- manual pages ----------------------------------------------------------------------


def test_the_manual_pages_are_current() -> None:
    for name, text in pages().items():
        assert (ROOT / FOLDER / name).read_text() == text, "make man"


def test_the_manual_tells_of_every_command_and_option() -> None:
    text = pages()["lowcapctl.1"].replace("\\-", "-")
    for command in COMMANDS:
        page = text[text.index(f".SS \\fB{command.name}\\fR") :].split("\n.S")[0]
        for option in command.options:
            assert f"\\fB--{option.name}\\fR" in page, command.name
        for example in command.examples:
            assert f"lowcapctl {example}" in page.replace("\\(aq", "'").replace("\\(ti", "~")


@pytest.mark.parametrize("name", sorted(pages()))
def test_troff_has_nothing_to_say_against_them(name: str, tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff on this machine")
    (tmp_path / name).write_text(pages()[name])
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", str(tmp_path / name)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    bare = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert name.partition(".")[0].upper() in bare
    assert "EXIT STATUS" in bare


def test_lowcapd_is_told_with_all_its_commands() -> None:
    from lowcap.__main__ import cli

    text = pages()["lowcapd.1"].replace("\\-", "-")
    for name, command in cli.commands.items():
        assert f".SS \\fB{name}\\fR" in text
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(f"\\fB{word}\\fR" in text for word in option.opts)
