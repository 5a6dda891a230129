"""Fault scripts in files: ``[[fault]]`` tables in TOML, and the standing orders beside them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from lowcap.core.errors import ConfigError
from lowcap.paper.faults import Fault, Faults

HINT = "docs/exchange.md shows the kinds of faults and their fields"


def read_faults(path: Path) -> Faults:
    """The script in a file.

    Raises:
        ConfigError: it cannot be read, or with everything in it that means nothing.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: {error}"], hint=HINT) from error
    found = [f"{path}: {fault}" for fault in _faults_of(tree)]
    if found:
        raise ConfigError(found, hint=HINT)
    return msgspec.convert(tree, Faults, strict=False)


def _faults_of(tree: dict[str, Any]) -> Iterable[str]:
    lines = tree.get("fault", [])
    if isinstance(lines, list):
        for number, line in enumerate(lines):
            yield from _of_table(f"fault[{number}]", line, Fault)
    else:
        yield "fault: expected [[fault]] tables"
    yield from _of_table("", {name: tree[name] for name in tree if name != "fault"}, Faults)


def _of_table(where: str, table: Any, kind: type[Fault | Faults]) -> list[str]:  # noqa: ANN401
    """Faults of the keys, each by itself; where they are fine, of what they say together."""
    if not isinstance(table, dict):
        return [f"{where}: expected a table"]
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    found = []
    for name, value in table.items():
        path = f"{where}.{name}".lstrip(".")
        if name not in fields:
            found.append(f"{path}: unknown key")
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=False)
        except msgspec.ValidationError as error:
            found.append(f"{path}: {error}")
    found += [
        f"{where}.{name}: required key is missing"
        for name, field in fields.items()
        if field.required and name not in table
    ]
    if not found:
        try:
            msgspec.convert(table, kind, strict=False)
        except msgspec.ValidationError as error:
            found.append(f"{where}: {error}")
    return found
