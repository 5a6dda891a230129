"""The sources of a daemon's configuration, as last taken, and the one file that it writes itself.

What an operator makes permanent goes to ``config.d/90-runtime.toml``: a small
file of its own, so that nobody's hand-written file is ever rewritten. What
people write into it, comments too, is kept.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lowcap.config import digest_of, from_tree
from lowcap.config_tree import (
    OVERLAYS,
    Layer,
    find_config,
    merge,
    merged,
    parse,
    read_layers,
    shipped,
)
from lowcap.config_values import (
    MISSING,
    Parts,
    Tree,
    key_text,
    keys_of,
    lookup,
    toml_text,
    without,
)
from lowcap.core.errors import CommandError, ConfigError
from lowcap.settings import Settings

RUNTIME_FILE = "90-runtime.toml"
RUNTIME_LAYER = f"{OVERLAYS}/{RUNTIME_FILE}"
_HEAD = "# Written by: lowcapctl config set --persist. What stands here may be edited or removed.\n"


class Draft(NamedTuple):
    """The runtime file as it would be, and all layers with it; nothing is written yet."""

    path: Path
    text: str
    layers: list[Layer]


class ConfigFiles:
    """Where the configuration comes from. Called, it reads everything again.

    ``layers`` are those of the last reading that was taken, ``at_start`` those
    that the daemon began with: what needs a restart still comes from there.
    """

    def __init__(self, path: Path | None, environ: Mapping[str, str]) -> None:
        self._given = path
        self.environ = environ
        self.layers: list[Layer] = []
        self.at_start: list[Layer] = []
        self._read: list[Layer] = []

    @property
    def path(self) -> Path:
        """The main file."""
        return self._given or find_config(self.environ)

    def __call__(self) -> tuple[Settings, str]:
        """Settings and their hash, as the sources have them now.

        Raises:
            ConfigError: with every fault.
        """
        self._read = read_layers(self.path, self.environ)
        settings = from_tree(merged(self._read))
        if not self.at_start:
            self.at_start = self.layers = self._read
        return settings, digest_of(settings)

    def take(self) -> None:
        """What was read last is in force."""
        self.layers = self._read

    # -- the file that we write ---------------------------------------------------

    def draft_with(self, more: Tree) -> Draft:
        """The runtime file with more values in it.

        Raises:
            ConfigError: the configuration as a whole would have faults.
            CommandError: another source has the last word on one of the values, or there
                is no folder of the operator's to write to.
        """
        path, text = self._runtime_file()
        document = _parsed(path, text)
        with _by_hand(path):
            for parts in keys_of(more):
                _put(document, parts, lookup(more, parts))
        draft = self._draft(path, document, merge(parse(text, str(path)), more))
        whole = merged(draft.layers)
        for parts in keys_of(more):
            if lookup(whole, parts) != lookup(more, parts):
                last = last_word(draft.layers, parts)
                raise CommandError(
                    f"{key_text(parts)} would not last: {last} comes later",
                    hint=f"change it in {last}",
                    code="refused",
                )
        return draft

    def draft_without(self, parts: Parts) -> Draft:
        """The runtime file without a value.

        Raises:
            ConfigError: the configuration as a whole would have faults.
            CommandError: the value is not in there.
        """
        path, text = self._runtime_file()
        tree = parse(text, str(path))
        if lookup(tree, parts) is MISSING:
            raise CommandError(
                f"{key_text(parts)} is not in {RUNTIME_LAYER}",
                hint=f"config show {key_text(parts)} --origin",
                code="not-found",
            )
        document = _parsed(path, text)
        with _by_hand(path):
            _drop(document, parts)
        return self._draft(path, document, without(tree, parts))

    def _runtime_file(self) -> tuple[Path, str]:
        main = self.path
        if main == shipped("config.toml") and self._given is None:
            raise CommandError(
                "the daemon runs on the packaged configuration, which is nobody's to change",
                hint="copy it to /etc/lowcap/config.toml and restart",
                code="refused",
            )
        path = main.parent / RUNTIME_LAYER
        try:
            return path, path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return path, _HEAD
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            raise CommandError(f"{path}: {why}", hint="lowcapd check", code="refused") from None

    def _draft(self, path: Path, document: tomlkit.TOMLDocument, wanted: Tree) -> Draft:
        text = tomlkit.dumps(document)
        with _by_hand(path):
            if (tree := parse(text, str(path))) != wanted:
                raise ValueError("the edit says something else")
        layers = [layer for layer in read_layers(self.path, self.environ) if layer.path != path]
        at = sum(1 for n, layer in enumerate(layers) if n == 0 or _is_before(layer, path))
        layers.insert(at, Layer(RUNTIME_LAYER, tree, path))
        from_tree(merged(layers))
        return Draft(path, text, layers)

    def keep(self, draft: Draft) -> None:
        """Write a draft in one step: the old file or the new one, never half of it.

        Raises:
            CommandError: the file cannot be written; the old one stands.
        """
        try:
            _write(draft.path, draft.text, self.path)
        except OSError as error:
            raise CommandError(
                f"{draft.path}: {error.strerror}; nothing was changed",
                hint=f"let the daemon's user write to {draft.path.parent}, or edit it by hand",
                code="refused",
            ) from None
        ours = next(layer for layer in draft.layers if layer.name == RUNTIME_LAYER)
        kept = [layer for layer in self.layers if layer.name != RUNTIME_LAYER]
        at = sum(1 for n, layer in enumerate(kept) if n == 0 or _is_before(layer, draft.path))
        self.layers = [*kept[:at], ours, *kept[at:]]


@contextmanager
def _by_hand(path: Path) -> Iterator[None]:
    """Some ways to write a file are beyond the editor: said, and nothing is written."""
    try:
        yield
    except (ConfigError, TOMLKitError, TypeError, ValueError, LookupError, AttributeError):
        raise CommandError(
            f"{path} is written in a way that cannot be changed safely",
            hint="edit it by hand, then config reload",
            code="refused",
        ) from None


def last_word(layers: Iterable[Layer], parts: Parts) -> str:
    """The name of the layer that decides about a key; empty where none says it."""
    told = [layer.name for layer in layers if lookup(layer.tree, parts) is not MISSING]
    return told[-1] if told else ""


def _is_before(layer: Layer, path: Path) -> bool:
    return layer.path is not None and layer.path.parent == path.parent and layer.path < path


def _parsed(path: Path, text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _row(document: Any, name: str) -> Any:  # noqa: ANN401  # tomlkit's containers
    """The ``[[trigger]]`` row of a name, made where it is missing."""
    if "trigger" not in document:
        document.add(tomlkit.nl())
        document["trigger"] = tomlkit.aot()
    for row in document["trigger"]:
        if row.get("id") == name:
            return row
    row = tomlkit.table()
    row["id"] = name
    document["trigger"].append(row)
    return document["trigger"][-1]


def _put(document: Any, parts: Parts, value: object) -> None:  # noqa: ANN401
    table, rest = document, parts
    if parts[0] == "trigger" and len(parts) > 2:
        table, rest = _row(document, parts[1]), parts[2:]
    for part in rest[:-1]:
        if part not in table:
            table[part] = tomlkit.table()
        table = table[part]
    # By way of text: a Decimal then stands as exactly what it is.
    table[rest[-1]] = tomlkit.parse(f"v = {toml_text(value)}\n")["v"]


def _drop(document: Any, parts: Parts) -> None:  # noqa: ANN401
    if parts[0] == "trigger" and len(parts) > 2:
        row = _row(document, parts[1])
        _drop(row, parts[2:])
        if set(row) == {"id"}:
            rows = document["trigger"]
            del rows[[each.get("id") for each in rows].index(parts[1])]
            if not rows:
                del document["trigger"]
        return
    if len(parts) > 1:
        _drop(document[parts[0]], parts[1:])
    if len(parts) == 1 or not document[parts[0]]:
        del document[parts[0]]


def _write(path: Path, text: str, like: Path) -> None:
    """By a file beside it and a rename; readable by whoever may read ``like``."""
    target = path.resolve()
    made = not target.parent.exists()
    target.parent.mkdir(exist_ok=True)
    if made:
        target.parent.chmod(stat.S_IMODE(like.parent.stat().st_mode))
    number, name = tempfile.mkstemp(prefix=".90-runtime-", dir=target.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(like.stat().st_mode))
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
