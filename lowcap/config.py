"""Reading config.toml: layers, strict types, and every fault named by its path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from lowcap.config_check import bound_faults, faults_of
from lowcap.config_tree import find_config, read_tree, shipped, state_folder
from lowcap.config_types import HINT, settings_of
from lowcap.core.errors import ConfigError
from lowcap.settings import Settings

__all__ = ["digest_of", "find_config", "from_tree", "load", "shipped", "state_dir"]


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, str]:
    """Settings from ``path`` (or the usual places) and the hash of what they say.

    Layers: built-in defaults < the file < ``config.d/*.toml`` beside it <
    ``LOWCAP_SECTION__KEY`` environment.

    Raises:
        ConfigError: with every fault found, each with its path.
    """
    path = path or find_config(environ)
    settings = from_tree(read_tree(path, environ))
    return settings, digest_of(settings)


def from_tree(tree: dict[str, Any]) -> Settings:
    """Settings from a parsed TOML tree.

    Raises:
        ConfigError: with every fault.
    """
    try:
        settings = settings_of(tree)
    except ConfigError as error:
        # Types hide nothing: what else is wrong with the numbers is said in the same breath.
        more = bound_faults(partial(_number_at, tree))
        raise ConfigError([*error.faults, *more], hint=HINT) from error
    faults = faults_of(settings)
    if faults:
        raise ConfigError(faults, hint=HINT)
    return settings


def digest_of(settings: Settings) -> str:
    """The hash of what a configuration says."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:12]


def _number_at(tree: dict[str, Any], path: str) -> Decimal | int | None:
    value: Any = tree
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return value if type(value) is int else None


def state_dir(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the ledger lives: ``state.dir``, $STATE_DIRECTORY, else the XDG state folder."""
    return state_folder(settings.state.dir, environ)
