"""From a parsed TOML tree to typed settings: strict types, and every fault with its path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from typing import Any, get_args, get_origin

from attrs import fields, has
from cattrs import (
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
)
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import format_exception, transform_error

from lowcap.core.errors import ConfigError
from lowcap.core.money import Side
from lowcap.detection.trigger import MATCHERS, Trigger
from lowcap.settings import Settings

HINT = "lowcapd check FILE lists all faults; config.toml shows every key with its meaning"
# Numbers outside would overflow, or vanish, in arithmetic.
_LARGEST, _SMALLEST = Decimal(10) ** 15, Decimal(10) ** -15
_TYPE_WORDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
_KEY = re.compile(r"\['([^']*)'\]")
_TRIGGER = re.compile(r"trigger\[(\d+)\]")
MEANT_MAX = 20
EITHER = "EITHER"  # the side that the matcher decides
_Hook = Callable[[Any, Any], Any]


def settings_of(tree: dict[str, Any]) -> Settings:
    """Settings from a parsed TOML tree, by type alone.

    Raises:
        ConfigError: with every fault.
    """
    try:
        return _converter().structure(tree, Settings)
    except ClassValidationError as error:
        faults = transform_error(error, path="config", format_exception=_words)
        raise ConfigError([_short(fault, tree) for fault in faults], hint=HINT) from error


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, partial(_exactly, kind))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Side | None, _side)
    converter.register_structure_hook_factory(has, partial(_table, converter))
    converter.register_structure_hook_factory(
        partial(_is_generic, dict),
        lambda kind: _only(dict, "a table", mapping_structure_factory(kind, converter)),
    )
    converter.register_structure_hook_factory(
        partial(_is_generic, tuple), partial(_list, converter)
    )
    converter.register_structure_hook(Trigger, _trigger(converter))
    return converter


def _is_generic(of: type, kind: object) -> bool:
    return get_origin(kind) is of


def _exactly(kind: type, value: object, _: type) -> object:
    if type(value) is not kind:
        raise ValueError(f"expected {_TYPE_WORDS[kind]}, not {_shown(value)}")
    return value


def _decimal(value: object, _: type) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError(f"expected a number, not {_shown(value)}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError("expected a finite number")
    if amount and not _SMALLEST <= abs(amount) <= _LARGEST:
        raise ValueError("expected a number of ordinary size")
    return amount


def _side(value: object, _: object) -> Side | None:
    if value not in ("BUY", "SELL", EITHER):
        raise ValueError(f'expected "BUY", "SELL" or "{EITHER}", not {_shown(value)}')
    return None if value == EITHER else Side(value)


def _only(kind: type, words: str, hook: _Hook) -> _Hook:
    """``hook`` for values of one TOML type; text would otherwise pass as a list of letters."""

    def checked(value: object, wanted: type) -> object:
        if type(value) is not kind:
            raise ValueError(f"expected {words}, not {_shown(value)}")
        return hook(value, wanted)

    return checked


def _table(converter: Converter, kind: type) -> _Hook:
    return _only(dict, "a table", make_dict_structure_fn(kind, converter))


def _list(converter: Converter, kind: type) -> _Hook:
    """Lists of any length, or (``tuple[Decimal, Decimal]``) of one length and one type."""
    items = get_args(kind)
    many = homogenous_tuple_structure_factory(tuple[items[0], ...], converter)  # type: ignore[valid-type]  # items are types
    if items[-1] is ...:
        return _only(list, "a list", many)

    def fixed(value: list[object], wanted: type) -> object:
        if len(value) != len(items):
            raise ValueError(f"expected {len(items)} values, not {len(value)}")
        return many(value, wanted)

    return _only(list, "a list", fixed)


def _trigger(converter: Converter) -> _Hook:
    """A trigger table; its ``match`` is structured by the matcher that the table names."""
    hooks: dict[str, _Hook] = {}
    for name, kind in MATCHERS.items():
        match = override(struct_hook=partial(_as_kind, converter, kind))
        hooks[name] = make_dict_structure_fn(Trigger, converter, match=match)

    def hook(value: dict[str, Any], wanted: type) -> object:
        name = value.get("matcher")
        if not isinstance(name, str) or name not in hooks:
            known = ", ".join(hooks)
            raise ValueError(f"matcher: expected one of {known}, not {_shown(name)}")
        return hooks[name](value, wanted)

    return _only(dict, "a table", hook)


def _as_kind(converter: Converter, kind: type[Any], value: object, _: type) -> object:
    return converter.structure(value, kind)


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _meant(name: str, table: type) -> str:
    known = [field.name for field in fields(table)] if has(table) else []
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return "unknown key " + ", ".join(
            name + (_meant(name, error.cl) if number < MEANT_MAX else "")
            for number, name in enumerate(sorted(error.extra_fields))
        )
    if isinstance(error, KeyError):
        return "required key is missing"
    if isinstance(error, ValueError):
        return str(error)
    return format_exception(error, kind)


def _short(fault: str, tree: dict[str, Any]) -> str:
    """``order.collar_pct: expected a number``, from cattrs' wording with the path at the end."""
    text, at, path = fault.rpartition(" @ ")
    if not at:
        return fault
    path = _KEY.sub(r".\1", path.removeprefix("config")).lstrip(".") or "config"
    path = _TRIGGER.sub(lambda found: _trigger_name(tree, int(found[1])), path)
    return f"{path}: {text}"


def _trigger_name(tree: dict[str, Any], number: int) -> str:
    """``trigger elon_btc``, or the row's number where it has no usable id."""
    name = tree["trigger"][number]
    name = name.get("id") if isinstance(name, dict) else None
    return f"trigger {name}" if isinstance(name, str) and name else f"trigger[{number}]"
