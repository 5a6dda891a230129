"""Reading config.toml: layers, strict types, and every fault named by its path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowcap.config_check import faults_of
from lowcap.config_tree import find_config, read_tree, shipped, state_folder
from lowcap.config_types import HINT, settings_of
from lowcap.core.errors import ConfigError
from lowcap.settings import Settings

__all__ = ["find_config", "from_tree", "load", "shipped", "state_dir"]


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, str]:
    """Settings from ``path`` (or the usual places) and the hash of what they say.

    Layers: built-in defaults < the file < ``config.d/*.toml`` beside it <
    ``LOWCAP_SECTION__KEY`` environment.

    Raises:
        ConfigError: with every fault found, each with its path.
    """
    path = path or find_config(environ)
    settings = from_tree(read_tree(path, environ))
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    return settings, digest


def from_tree(tree: dict[str, Any]) -> Settings:
    """Settings from a parsed TOML tree.

    Raises:
        ConfigError: with every fault.
    """
    settings = settings_of(tree)
    faults = faults_of(settings)
    if faults:
        raise ConfigError(faults, hint=HINT)
    return settings


def state_dir(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the ledger lives: ``state.dir``, $STATE_DIRECTORY, else the XDG state folder."""
    return state_folder(settings.state.dir, environ)
