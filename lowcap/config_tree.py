"""Reading config.toml as a tree: where it is, its layers, and nothing of what it means.

The standard library only, so that a tool for emergencies can read where the
venue is even where the rest of the configuration has faults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from lowcap.core.errors import ConfigError


def read_tree(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What ``path``, ``config.d/*.toml`` beside it and the environment say, unchecked.

    Raises:
        ConfigError: a file cannot be read.
    """
    tree = _read(path)
    for extra in sorted((path.parent / "config.d").glob("*.toml")):
        tree = _merge(tree, _read(extra))
    return _with_environment(tree, environ)


def state_folder(given: str, environ: Mapping[str, str]) -> Path:
    """Where the ledger lives: ``given``, $STATE_DIRECTORY, else the XDG state folder."""
    if given:
        return Path(given)
    if named := environ.get("STATE_DIRECTORY"):
        return Path(named.split(":")[0])
    base = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "/"), ".local/state")
    return Path(base) / "lowcap"


def find_config(environ: Mapping[str, str]) -> Path:
    """The first configuration that exists: $LOWCAP_CONFIG, ./, /etc/lowcap/, the shipped one."""
    if named := environ.get("LOWCAP_CONFIG"):
        return Path(named)
    for place in (Path("config.toml"), Path("/etc/lowcap/config.toml")):
        if _is_there(place):
            return place
    return shipped("config.toml")


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except PermissionError:
        return True  # reading it will say so; passing over it would run another configuration


def shipped(name: str) -> Path:
    """A file that comes with lowcap, installed or in a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=_number)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"], hint="name one with --config") from None
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:  # broken TOML, not UTF-8, or an endless number
        raise ConfigError([f"{path}: {error}"]) from error
    except RecursionError:
        raise ConfigError([f"{path}: nested too deeply"]) from None


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a usable number: {text[:40]}") from None


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``: tables key by key, ``[[trigger]]`` by id, the rest replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if key == "trigger" and isinstance(old, list) and isinstance(value, list):
            merged[key] = _merge_triggers(old, value)
        elif isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _merge_triggers(base: list[Any], over: list[Any]) -> list[Any]:
    """Rows of ``over`` laid on the first row of their id, or added. Odd rows stay, to be named."""
    rows = list(base)
    for row in over:
        name = _id_of(row)
        at = next((n for n, old in enumerate(base) if name and _id_of(old) == name), None)
        if at is None:
            rows.append(row)
        else:
            rows[at] = _merge(rows[at], row)
    return rows


def _id_of(row: object) -> str:
    name = row.get("id") if isinstance(row, dict) else None
    return name if isinstance(name, str) else ""


def _with_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """``LOWCAP_ORDER__COLLAR_PCT=2`` sets ``order.collar_pct``, ``LOWCAP_MODE`` the mode."""
    for name, text in sorted(environ.items()):
        if name.startswith("LOWCAP_") and ("__" in name or name == "LOWCAP_MODE"):
            over: Any = _environment_value(text)
            for key in reversed(name.removeprefix("LOWCAP_").lower().split("__")):
                over = {key: over}
            tree = _merge(tree, over)
    return tree


def _environment_value(text: str) -> object:
    """The value as TOML where it is that (a number, a list), else as text."""
    try:
        read = tomllib.loads(f"v = {text}", parse_float=_number)
    except (ValueError, RecursionError):
        return text
    return read["v"] if len(read) == 1 else text
