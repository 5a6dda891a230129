"""docs/configuration.md, written from the code: ``python -m lowcap.config_reference``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import attrs

from lowcap.config_keys import HOT, Key, all_keys, help_of, range_of, unit_of
from lowcap.config_values import toml_text
from lowcap.detection.matchers.payroll import PayrollPolicy
from lowcap.detection.trigger import MATCHERS, Trigger
from lowcap.settings import Feed, ProtectGroup, Settings

_OPENING = """\
# Configuration reference

Written from the code by `make config-reference`; a test holds it to that.
`config.toml` at the top of the tree is the commented default, complete and valid.

Later wins: built-in defaults, `config.toml`, `config.d/*.toml` beside it in order of name
(tables key by key, `[[trigger]]` by id), the environment, and values set at run time.
Numbers are exact decimals. An unknown key, a wrong type or a number out of its range is a
fault; `lowcapd check FILE` lists every one with its file and line, `lowcapctl config check`
does the same for the files of a running daemon.

**Hot** keys take effect at once: `lowcapctl config set KEY VALUE` until the next restart,
with `--persist` for good (in `config.d/90-runtime.toml`), or an edited file and
`lowcapctl reload`. All others are read at start. `config apply FILE --confirm-within 60s`
lays a file on what runs, as if it were in `config.d`, and takes it back by itself unless
`config confirm` comes in time; after a restart only the files count. Keys that name places,
programs or keys of their own (*reload* or *no* for the sections state, control, exchange, feed,
caps, metrics and notify.sink) are written by hand, never set by command.

Keys of the venue and of the feeds are no settings: they come from the credentials
directory, from a file (`key_file`) or from a variable (`key_env`), and are never shown.

In the environment a key is `LOWCAP_SECTION__KEY`; the value is read as TOML where it is that,
else as text. `NAME` stands for a name of yours, as `*` does here. Ranges that say *away from
loopback* may be exceeded only where every configured address is on this machine.
"""
_COLUMNS = ("key", "type", "default", "range", "hot", "environment", "what it is")


def reference() -> str:
    """The whole page."""
    return "\n".join([_OPENING, *_pages()]).rstrip() + "\n"


def _pages() -> Iterator[str]:
    sections: dict[str, list[Key]] = {}
    for key in all_keys():
        sections.setdefault(_section(key), []).append(key)
    # Keys without a table come first, as they must in a file.
    order = sorted(sections, key=lambda name: name != "")
    for name in order:
        yield f"## {_title(name)}\n"
        if text := _about(name):
            yield f"{text}\n"
        yield from _table(sections[name], name)
        yield ""


def _section(key: Key) -> str:
    if key.matcher:
        return f"match {key.matcher}"
    parts = key.pattern.split(".")
    if len(parts) == 1 and key.kind != "table":
        return ""
    return parts[0]


def _title(section: str) -> str:
    named = {"": "Keys without a table", "trigger": "[[trigger]]"}
    if section.startswith("match "):
        return f"[trigger.match] of matcher {section.removeprefix('match ')}"
    if any(key.pattern.startswith(f"{section}.*.") for key in all_keys() if section):
        return named.get(section, f"[{section}.NAME]")
    return named.get(section, f"[{section}]")


def _about(section: str) -> str:
    """What the settings say of themselves."""
    kinds: dict[str, Any] = {
        field.name: field.type for field in attrs.fields(attrs.resolve_types(Settings))
    }
    kinds |= {"trigger": Trigger, "feed": Feed, "protect_for": ProtectGroup}
    kinds |= {"payroll": PayrollPolicy}
    kinds |= {f"match {name}": kind for name, kind in MATCHERS.items()}
    kind = kinds.get(section)
    text = inspect.getdoc(kind) if kind is not None and attrs.has(kind) else ""
    return re.sub(r"``(.+?)``", r"`\1`", text or "", flags=re.DOTALL)


def _table(keys: list[Key], section: str) -> Iterator[str]:
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|" + "---|" * len(_COLUMNS)
    for key in keys:
        unit = unit_of(key.pattern)
        cells = (
            f"`{key.pattern}`",
            key.kind + (f", {unit}" if unit else ""),
            "required" if key.required else _default(key),
            range_of(key.pattern),
            _hot(key),
            f"`{key.environment}`" if key.environment else "",
            help_of(key.pattern),
        )
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _hot(key: Key) -> str:
    """Yes; no; or that an edited file and a reload will do, but no command."""
    if key.hot:
        return "yes"
    return "reload" if key.pattern.split(".")[0] in HOT else "no"


def _default(key: Key) -> str:
    return "" if key.default is None else f"`{toml_text(key.default)}`"


if __name__ == "__main__":
    print(reference(), end="")
