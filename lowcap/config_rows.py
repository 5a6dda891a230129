"""The configuration as rows: every key with its value, where that comes from, what it may be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from lowcap.actions import Parts as Rooms
from lowcap.config_files import ConfigFiles, last_word
from lowcap.config_keys import HOT, help_of, is_hot, is_secret, nearest, pattern_of, range_of
from lowcap.config_values import (
    MISSING,
    Leaf,
    Parts,
    Tree,
    key_text,
    leaves,
    lookup,
    split_key,
    text_of,
    to_tree,
    without,
)
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError
from lowcap.settings import Protect, Settings

ON_TRIAL, AT_RUN_TIME, BUILT_IN = "apply, not confirmed", "runtime set", "default"
SET, NOT_SET = "set", "not set"
# Rules for one symbol besides those of its protection.
_OF_A_SYMBOL = (
    *("leverage.max", "order.collar_pct", "sizing.scale"),
    *("limits.order_notional_usd_max", "limits.position_notional_usd_max"),
)
Json = dict[str, Any]


def rows_of(rooms: Rooms, under: str = "", *, hot_only: bool = False) -> list[Json]:
    """A row for every key below ``under``; without it for all but those of triggers.

    Raises:
        CommandError: there is no such key.
    """
    wanted = split_key(under) if under else ()
    found = [
        _row(rooms, leaf)
        for leaf in leaves(rooms.desk.settings)
        if (leaf.parts[: len(wanted)] == wanted if wanted else leaf.parts[0] != "trigger")
    ]
    found += [row for row in _credentials(rooms) if not wanted or wanted[0] == "credentials"]
    if wanted and not found:
        raise no_such_key(rooms.desk.settings, wanted)
    return [row for row in found if row["hot"] or not hot_only]


def no_such_key(settings: Settings, parts: Parts) -> CommandError:
    """The answer to a key that is none, with the one that was probably meant."""
    known = [".".join(leaf.parts) for leaf in leaves(settings)]
    near = nearest(parts, known + [".".join(leaf.parts[:1]) for leaf in leaves(settings)])
    hint = f"did you mean {near}?" if near else "config show lists them"
    return CommandError(f"there is no key {key_text(parts)[:80]}", hint=hint, code="not-found")


def rows_for(rooms: Rooms, symbol: str) -> list[Json]:
    """What holds for one symbol: its own rules in the place of the general ones.

    Raises:
        CommandError: the venue has no such contract.
    """
    settings, symbol = rooms.desk.settings, _contract(rooms, symbol)
    of_leaf = {leaf.parts: leaf for leaf in leaves(settings)}
    group = next((n for n, g in settings.protect_for.items() if symbol in g.symbols), "")
    keys: list[Parts] = []
    for field in attrs.fields(Protect):
        own = ("protect_for", group, field.name)
        keys.append(own if own in of_leaf else ("protect", field.name))
    keys += [split_key(key) for key in _OF_A_SYMBOL]
    keys.append(("sizing", "symbol_usd", symbol))
    keys += [("trigger", t.id, "notional_usd", symbol) for t in settings.trigger]
    return [_row(rooms, of_leaf[key]) for key in keys if key in of_leaf]


def _contract(rooms: Rooms, given: str) -> str:
    contracts, name = rooms.venue.contracts, given.upper()
    symbol = name if name in contracts else rooms.flow.detector.coins.symbol(name)
    symbol = symbol or f"{name}USDT"
    if symbol not in contracts:
        raise CommandError(
            f"the venue has no contract {given[:40]!r}", hint="BTCUSDT, or BTC", code="not-found"
        )
    return symbol


def _row(rooms: Rooms, leaf: Leaf) -> Json:
    parts, pattern = leaf.parts, pattern_of(leaf.parts)
    return {
        "key": key_text(parts),
        "value": shown(parts, leaf.value),
        "default": None if leaf.default is None else shown(parts, leaf.default),
        "origin": origin_of(rooms, parts, leaf),
        "hot": is_hot(parts),
        "range": range_of(pattern),
        "help": help_of(pattern),
    }


def shown(parts: Parts, value: object) -> str:
    """A value as it is typed; of a secret only whether there is one."""
    if is_secret(parts):
        return SET if value else NOT_SET
    return text_of(value)


def origin_of(rooms: Rooms, parts: Parts, leaf: Leaf) -> str:
    """The layer that a value comes from."""
    config, files = rooms.config, rooms.reload
    for tree, name in ((config.trial_tree, ON_TRIAL), (config.sets, AT_RUN_TIME)):
        if lookup(tree, parts) is not MISSING:
            return name
    if isinstance(files, ConfigFiles):
        return last_word(files.layers if parts[0] in HOT else files.at_start, parts) or BUILT_IN
    return BUILT_IN if leaf.value == leaf.default else "given at start"


def _credentials(rooms: Rooms) -> Iterator[Json]:
    """What is no setting and never shown: whether the keys that may be needed are there."""
    settings, files = rooms.desk.settings, rooms.reload
    environ = files.environ if isinstance(files, ConfigFiles) else {}
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    own = settings.exchange.credentials_dir or folder
    wanted = [("api-key", own, "", ""), ("api-secret", own, "", "")]
    wanted += [
        (f"feed-{name}", folder, feed.key_file, feed.key_env)
        for name, feed in settings.feed.items()
        if feed.auth != "none"
    ]
    for name, place, key_file, key_env in wanted:
        there = bool(place) and os.path.exists(Path(place) / name)
        there |= bool(key_file) and os.path.exists(key_file)
        there |= bool(key_env and environ.get(key_env))
        yield {
            "key": f"credentials.{name}",
            "value": SET if there else NOT_SET,
            "default": None,
            "origin": "credentials" if there else "",
            "hot": False,
            "range": "",
            "help": "a key; its file is read where it is needed, and never shown",
        }


# -- what differs, and the whole ---------------------------------------------------


def differences(rooms: Rooms, files: Settings) -> list[Json]:
    """A row for every key whose value the files give otherwise than it is now.

    ``ends`` says what would make them agree: unset, undo, reload or restart.
    """
    now = {leaf.parts: leaf.value for leaf in leaves(rooms.desk.settings)}
    then = {leaf.parts: leaf.value for leaf in leaves(files)}
    return [
        {
            "key": key_text(parts),
            "running": shown(parts, now[parts]) if parts in now else None,
            "files": shown(parts, then[parts]) if parts in then else None,
            "hot": is_hot(parts),
            "ends": _ends(rooms, parts),
        }
        for parts in {**now, **then}
        if now.get(parts, MISSING) != then.get(parts, MISSING)
    ]


def _ends(rooms: Rooms, parts: Parts) -> str:
    config = rooms.config
    for tree, word in ((config.trial_tree, "undo"), (config.sets, "unset")):
        if lookup(tree, parts) is not MISSING:
            return word
    return "reload" if parts[0] in HOT else "restart"


def exported(settings: Settings) -> Tree:
    """The settings as a tree without secrets."""
    tree: Tree = to_tree(settings)
    for leaf in leaves(settings):
        if is_secret(leaf.parts):
            tree = without(tree, leaf.parts)
    return tree


def config_row(rooms: Rooms) -> Json:
    """What ``status`` says of it: values that a restart would forget, an apply that waits."""
    trial = rooms.config.trial
    return {
        "unsaved": len(rooms.config.unsaved()),
        "confirm_by": None if trial is None else trial.who,
        "confirm_until": None if trial is None else iso_ms(trial.until_ms),
    }
