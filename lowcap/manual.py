"""The manual pages, made from the command table and from lowcapd's own options.

    python -m lowcap.manual [FOLDER]

writes lowcapctl.1 and lowcapd.1 into FOLDER (docs/man).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from lowcap import __version__
from lowcap.__main__ import EXIT_CONFIG, EXIT_INTERNAL, EXIT_UNAVAILABLE, cli
from lowcap.control.commands import COMMANDS, VIEW, Command, Option
from lowcap.control.entry import Argument
from lowcap.terminal.app import build
from lowcap.terminal.topics import TOPICS, Topic

FOLDER = Path("docs/man")


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {"lowcapctl.1": lowcapctl_page(), "lowcapd.1": lowcapd_page()}


# -- troff ---------------------------------------------------------------------


def _text(text: str) -> str:
    """``text`` as troff takes it: nothing in it is a command or a special character."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    text = text.replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _head(name: str, what: str) -> list[str]:
    upper = name.upper()
    return [
        f'.TH {upper} 1 "" "lowcap {__version__}" "lowcap"',
        ".SH NAME",
        f"{name} \\- {_text(what)}",
    ]


def _entry(term: str, *meaning: str) -> list[str]:
    lines = [".TP", term]
    for number, text in enumerate(meaning):
        lines += [".br", _text(text)] if number else [_text(text)]
    return lines


def _bold(text: str) -> str:
    return f"\\fB{_text(text)}\\fR"


def _slanted(text: str) -> str:
    return f"\\fI{_text(text)}\\fR"


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [line for word, meaning in rows for line in _entry(_bold(word), meaning)]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."


# -- lowcapctl -------------------------------------------------------------------


def lowcapctl_page() -> str:
    """lowcapctl(1): every command of the table, and the topics of its help."""
    lines = _head("lowcapctl", "control a running lowcap daemon")
    lines += [
        *(".SH SYNOPSIS", ".B lowcapctl"),
        "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        *(".br", ".B lowcapctl", "[\\fIOPTIONS\\fR] \\fB\\-c\\fR \\fICOMMANDS\\fR"),
        *(".br", ".B lowcapctl", ".SH DESCRIPTION"),
        _text("Asks the daemon over its control socket and prints the answer. Without a command "
              "it is an interactive prompt on a terminal, and else reads commands from "
              "standard input, a line each."),
        *(".SH OPTIONS", _text("They may stand before the command or after it.")),
    ]  # fmt: skip
    lines += _options(build())
    lines.append(".SH COMMANDS")
    for command in COMMANDS:
        lines += _command(command)
    for name, topic in TOPICS.items():
        lines += _topic(name, topic)
    lines += [".SH SEE ALSO", "lowcapd(1), systemctl(1), journalctl(1)"]
    return "\n".join(lines) + "\n"


def _topic(name: str, topic: Topic) -> list[str]:
    title = {"exit-codes": "EXIT STATUS"}.get(name, name.upper())
    lines = [f".SH {title}", _text(_sentence(topic.help))]
    for text in topic.text:
        lines += [".PP", _text(text)]
    return lines + _rows(topic.rows)


def _command(command: Command) -> list[str]:
    words = " ".join([_bold(command.name), *(_argument(each) for each in command.arguments)])
    needs = [] if command.role == VIEW else [f"needs the role {command.role}"]
    needs += [f"{action} needs the role {role}" for action, role in command.roles]
    needs += [f"also {', '.join(command.aliases)}"] if command.aliases else []
    lines = [f".SS {words}", _text(_sentence(command.help))]
    if needs:
        lines += [".br", _text(_sentence("; ".join(needs)))]
    for option in command.options:
        lines += _entry(_option(option), option.help)
    if command.examples:
        lines += [".PP", ".nf", *(_text(f"  lowcapctl {each}") for each in command.examples), ".fi"]
    return lines


def _argument(argument: Argument) -> str:
    name = "|".join(argument.choices) if argument.choices else argument.name.upper()
    shown = _bold(name) if argument.choices else _slanted(name)
    return shown if argument.required else f"[{shown}]"


def _option(option: Option) -> str:
    words = ", ".join(_bold(word) for word in (option.short, f"--{option.name}") if word)
    return words if option.flag else f"{words} {_slanted('FILE' if option.file else 'VALUE')}"


# -- lowcapd ----------------------------------------------------------------------


def lowcapd_page() -> str:
    """lowcapd(1): the daemon and the tools beside it, from its own options."""
    lines = _head("lowcapd", "news in, protected positions out")
    lines += [
        *(".SH SYNOPSIS", ".B lowcapd", "[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]", ".SH DESCRIPTION"),
        _text("The daemon, and the tools that need none. Without a command it runs, in dry mode "
              "unless the configuration says otherwise."),
        ".SH COMMANDS",
    ]  # fmt: skip
    for name, command in sorted(cli.commands.items()):
        arguments = [
            _slanted(each.make_metavar(click.Context(command)))
            for each in command.params
            if isinstance(each, click.Argument)
        ]
        lines.append(f".SS {' '.join([_bold(name), *arguments])}")
        for number, text in enumerate((command.help or "").split("\n\n")):
            lines += [".PP"] * bool(number) + [_text(" ".join(text.split()))]
        lines += _options(command)
    lines += [".SH FILES"]
    lines += _rows(
        [
            ("./config.toml, /etc/lowcap/config.toml", "the configuration, the first that is "
             "there; $LOWCAP_CONFIG or --config name another"),
            ("config.d/*.toml", "beside it, over it, in the order of their names"),
        ]
    )  # fmt: skip
    lines += [".SH EXIT STATUS"]
    lines += _rows(
        [
            ("0", "it ended in order"),
            (str(EXIT_INTERNAL), "a fault of its own"),
            (str(EXIT_UNAVAILABLE), "something that it needs is not there"),
            (str(EXIT_CONFIG), "the configuration cannot be used"),
        ]
    )
    lines += [".SH SEE ALSO", "lowcapctl(1), systemd.service(5)"]
    return "\n".join(lines) + "\n"


def _options(command: click.Command) -> list[str]:
    lines: list[str] = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        words = ", ".join(_bold(word) for word in sorted(option.opts, key=len))
        if not option.is_flag:
            words += f" {_slanted(option.make_metavar(click.Context(command)))}"
        text = option.help or ""
        if option.show_default and not option.is_flag:
            text += f" ({option.default} where nothing is said)"
        lines += _entry(words, text.strip() or "as it says")
    return lines


def main() -> None:
    """Write the pages."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
