"""Settings as trees, keys and text: what is shown, exported and set goes by these.

What is shown can be typed: ``value_of(text_of(value))`` is the value again,
and ``settings_of(to_tree(settings))`` are the settings again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import attrs

from lowcap.config_tree import value_of
from lowcap.config_types import EITHER
from lowcap.core.errors import CommandError
from lowcap.core.money import Side

Tree = dict[str, Any]
Parts = tuple[str, ...]
KEY_CHARACTERS_MAX = 200
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r'"([^"]+)"(?:\.|$)|([^."]+)(?:\.|$)')
_LONG = 100
MISSING = object()


class Leaf(NamedTuple):
    """A key that has a value of its own. ``default`` is None where there is none built in."""

    parts: Parts
    value: Any
    default: Any


# -- keys -------------------------------------------------------------------------


def split_key(text: str) -> Parts:
    """``order.collar_pct``, or ``feed."a.b".url`` where a name has a dot.

    Raises:
        CommandError: it is no dotted key.
    """
    found, at = [], 0
    while at < len(text) <= KEY_CHARACTERS_MAX:
        part = _PART.match(text, at)
        if part is None:
            break
        found.append(part[1] or part[2])
        at = part.end()
    if not found or at < len(text) or text.endswith("."):
        raise CommandError(f"{text[:60]!r} is no key", hint="keys look like order.collar_pct")
    return tuple(found)


def key_text(parts: Parts) -> str:
    """A key as it is typed."""
    return ".".join(part if "." not in part else f'"{part}"' for part in parts)


def overlay(parts: Parts, value: object) -> Tree:
    """The tree that says nothing but one value."""
    if parts[0] == "trigger" and len(parts) > 2:
        row = value
        for part in reversed(parts[2:]):
            row = {part: row}
        return {"trigger": [{"id": parts[1], **row}]}  # type: ignore[dict-item]  # a dict by now
    tree = value
    for part in reversed(parts):
        tree = {part: tree}
    return tree  # type: ignore[return-value]  # a key has at least one part


def lookup(tree: object, parts: Parts) -> Any:  # noqa: ANN401  # whatever TOML can hold
    """The value at a key; ``MISSING`` where the tree does not say it."""
    for number, part in enumerate(parts):
        if number == 1 and parts[0] == "trigger" and isinstance(tree, list):
            rows = [row for row in tree if isinstance(row, dict) and row.get("id") == part]
            tree = rows[0] if rows else MISSING
        elif isinstance(tree, Mapping) and part in tree:
            tree = tree[part]
        else:
            return MISSING
    return tree


def without(tree: Tree, parts: Parts) -> Tree:
    """The tree without a key, and without tables that are empty for it."""
    part, rest = parts[0], parts[1:]
    if part not in tree:
        return tree
    left = {key: value for key, value in tree.items() if key != part}
    inner = tree[part]
    if rest and part == "trigger" and isinstance(inner, list):
        rows = []
        for row in inner:
            kept = without(row, rest[1:]) if row.get("id") == rest[0] and rest[1:] else row
            if kept is row or set(kept) - {"id"}:
                rows.append(kept)
        return left | ({part: rows} if rows else {})
    if rest and isinstance(inner, dict):
        kept = without(inner, rest)
        return left | ({part: kept} if kept or not inner else {})
    return left


def keys_of(tree: Tree) -> list[Parts]:
    """Every key that a tree gives a value."""
    return list(_keys_of(tree, ())) if tree else []


def _keys_of(value: Any, path: Parts) -> Iterator[Parts]:  # noqa: ANN401
    if path == ("trigger",) and isinstance(value, list):
        for row in value:
            name = row.get("id") if isinstance(row, dict) else None
            if isinstance(name, str):
                rest = {key: inner for key, inner in row.items() if key != "id"}
                yield from _keys_of(rest, (*path, name))
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _keys_of(inner, (*path, key))
    else:
        yield path


# -- settings ----------------------------------------------------------------------


def to_tree(value: Any) -> Any:  # noqa: ANN401
    """Settings, or a part of them, as TOML would say them."""
    if isinstance(value, Side):
        return value.value
    if attrs.has(type(value)):
        tree = {}
        for field in attrs.fields(type(value)):
            inner = getattr(value, field.name)
            if inner is None and field.name == "side":
                inner = EITHER
            if inner is not None:
                tree[field.name] = to_tree(inner)
        return tree
    if isinstance(value, Mapping):
        return {key: to_tree(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [to_tree(inner) for inner in value]
    return value


def leaves(settings: object) -> Iterator[Leaf]:
    """Every key that has a value, in the order of the settings."""
    yield from _leaves(settings, None, ())


def _leaves(value: Any, default: Any, path: Parts) -> Iterator[Leaf]:  # noqa: ANN401
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = getattr(value, field.name)
            if field.name == "side" and inner is None:
                inner = EITHER
            if inner is not None:
                yield from _leaves(inner, built_in(field), (*path, field.name))
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, None, (*path, key))
    elif path == ("trigger",):
        for trigger in value:
            yield from _leaves(trigger, None, (*path, trigger.id))
    else:
        yield Leaf(path, to_tree(value), None if default is None else to_tree(default))


def built_in(field: attrs.Attribute[Any]) -> Any:  # noqa: ANN401
    """The built-in default of a key; None where it must be given."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return None
    made = getattr(default, "factory", None)  # attrs.Factory is a function to the type checker
    return default if made is None else made()


# -- text --------------------------------------------------------------------------


def text_of(value: object) -> str:
    """A value as it is typed: TOML, where text that stands for itself needs no quotes."""
    if isinstance(value, str) and value.strip() == value and value_of(value) == value and value:
        return value
    return toml_text(value)


def toml_text(value: object) -> str:
    """A value in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_text(each) for each in value)}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_bare(key)} = {toml_text(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return _quoted(value) if isinstance(value, str) else str(value)


def _bare(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    whole = text.encode(errors="replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_document(tree: Tree) -> str:
    """A whole configuration as a TOML file."""
    return "\n".join(_table_lines(tree, ())).strip("\n") + "\n"


def _table_lines(table: Tree, path: Parts) -> Iterator[str]:
    inner = [key for key, value in table.items() if isinstance(value, dict) and value]
    rows = [key for key in table if not path and key == "trigger" and table[key]]
    for key, value in table.items():
        if key not in inner and key not in rows:
            yield from _pair_lines(key, value)
    for key in inner:
        deeper = (*path, key)
        if not all(isinstance(value, dict) and value for value in table[key].values()):
            yield from ("", f"[{'.'.join(_bare(part) for part in deeper)}]")
        yield from _table_lines(table[key], deeper)
    for row in table[rows[0]] if rows else ():
        yield from ("", "[[trigger]]")
        yield from (line for key in row if key != "match" for line in _pair_lines(key, row[key]))
        yield "[trigger.match]"
        yield from (line for key in row["match"] for line in _pair_lines(key, row["match"][key]))


def _pair_lines(key: str, value: object) -> Iterator[str]:
    line = f"{_bare(key)} = {toml_text(value)}"
    if len(line) <= _LONG or not isinstance(value, list):
        yield line
        return
    yield f"{_bare(key)} = ["
    yield from (f"  {toml_text(each)}," for each in value)
    yield "]"
