"""Reading config.toml as a tree: where it is, its layers, and nothing of what it means.

The standard library only, so that a tool for emergencies can read where the
venue is even where the rest of the configuration has faults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from lowcap.core.errors import ConfigError

OVERLAYS = "config.d"


def read_tree(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What ``path``, ``config.d/*.toml`` beside it and the environment say, unchecked.

    Raises:
        ConfigError: a file cannot be read.
    """
    return merged(read_layers(path, environ))


class Layer(NamedTuple):
    """What one source says, and what it is called: ``config.toml``, ``config.d/NAME`` or
    ``environment NAME``.
    """

    name: str
    tree: dict[str, Any]
    path: Path | None = None


def read_layers(path: Path, environ: Mapping[str, str]) -> list[Layer]:
    """Every source of the configuration, unchecked; what a later one says wins.

    Raises:
        ConfigError: a file cannot be read.
    """
    layers = [Layer(path.name, _read(path), path)]
    for extra in sorted((path.parent / OVERLAYS).glob("*.toml")):
        layers.append(Layer(f"{OVERLAYS}/{extra.name}", _read(extra), extra))
    return layers + environment_layers(environ)


def merged(layers: Iterable[Layer]) -> dict[str, Any]:
    """All layers as one tree."""
    tree: dict[str, Any] = {}
    for layer in layers:
        tree = merge(tree, layer.tree)
    return tree


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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"], hint="name one with --config") from None
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:  # not UTF-8
        raise ConfigError([f"{path}: {error}"]) from error
    return parse(text, str(path))


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a usable number: {text[:40]}") from None


def parse(text: str, name: str) -> dict[str, Any]:
    """The tree of a TOML text; ``name`` is what its faults call it.

    Raises:
        ConfigError: it is none.
    """
    try:
        return tomllib.loads(text, parse_float=_number)
    except ValueError as error:  # broken TOML, or an endless number
        raise ConfigError([f"{name}: {error}"]) from error
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``: tables key by key, ``[[trigger]]`` by id, the rest replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if key == "trigger" and isinstance(old, list) and isinstance(value, list):
            merged[key] = _merge_triggers(old, value)
        elif isinstance(old, dict) and isinstance(value, dict):
            merged[key] = merge(old, value)
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
            rows[at] = merge(rows[at], row)
    return rows


def _id_of(row: object) -> str:
    name = row.get("id") if isinstance(row, dict) else None
    return name if isinstance(name, str) else ""


def environment_layers(environ: Mapping[str, str]) -> list[Layer]:
    """``LOWCAP_ORDER__COLLAR_PCT=2`` sets ``order.collar_pct``, ``LOWCAP_MODE`` the mode."""
    layers = []
    for name, text in sorted(environ.items()):
        if name.startswith("LOWCAP_") and ("__" in name or name == "LOWCAP_MODE"):
            over: Any = value_of(text)
            for key in reversed(name.removeprefix("LOWCAP_").lower().split("__")):
                over = {key: over}
            layers.append(Layer(f"environment {name}", over))
    return layers


def value_of(text: str) -> object:
    """What somebody typed: the value as TOML where it is that (a number, a list), else text."""
    try:
        read = tomllib.loads(f"v = {text}", parse_float=_number)
    except (ValueError, RecursionError):
        return text
    return read["v"] if len(read) == 1 else text
