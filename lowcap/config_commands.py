"""What the daemon does for operators about its configuration: ``config`` and its actions.

No handler waits between looking and doing: two clients cannot come in between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import trio
import trio.lowlevel
from msgspec import to_builtins

from lowcap import config_rows
from lowcap.actions import Parts as Rooms
from lowcap.config import digest_of, from_tree
from lowcap.config_files import RUNTIME_LAYER, ConfigFiles, Draft
from lowcap.config_keys import check_known, is_by_hand, is_hot, is_secret, may_be_told
from lowcap.config_runtime import Plan, Trial, laid_on
from lowcap.config_tree import merged, parse, value_of
from lowcap.config_values import (
    MISSING,
    Parts,
    Tree,
    key_text,
    keys_of,
    lookup,
    overlay,
    split_key,
    to_tree,
    toml_document,
)
from lowcap.config_where import check_files, check_text, too_deep
from lowcap.control.commands import parse_duration_s
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError, ConfigError
from lowcap.core.messages import Changed
from lowcap.core.plain import plain
from lowcap.reload import Reloaded, record_change, reload, take_plan

CONFIRM_WITHIN_S, CONFIRM_S_MAX = 60, 3_600
CHECKED_CHARACTERS_MAX, CHECKED_LINES_MAX = 60_000, 3_000
_IN_FILE = f"in {RUNTIME_LAYER}"
Json = dict[str, Any]


class ConfigCommands:
    """The handler of ``config``."""

    def __init__(self, ready: Callable[[], Rooms]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {"config": self._config}
        self._looking: dict[str, Callable[[Rooms, Json], Any]] = {
            "show": _show,
            "keys": _show,
            "check": _check,
            "diff": _diff,
            "export": _export,
        }
        self._changing: dict[str, Callable[[Rooms, Json, str], Json]] = {
            "set": _set,
            "unset": _unset,
            "apply": _apply,
            "confirm": _confirm,
            "undo": _undo,
            "reload": _reload,
        }

    async def _config(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401
        await trio.lowlevel.checkpoint()
        rooms, action = self._ready(), str(params.get("action"))
        if action in self._looking:
            return self._looking[action](rooms, params)
        _note(rooms, params, peer)
        return self._changing[action](rooms, params, f"uid {peer.uid} pid {peer.pid}")


def _note(rooms: Rooms, params: Json, peer: Peer) -> None:
    """Record who asked for what; of a file only its size, of a secret nothing."""
    told = dict(params)
    what = str(told.get("what") or "")
    if told.get("action") == "apply":
        told["what"] = f"a file of {len(what)} characters"
    elif "value" in told and not may_be_told(what):
        told["value"] = "***"
    text = plain(", ".join(f"{key}={value}" for key, value in told.items() if value))
    rooms.desk.record(
        facts.CommandReceived(method="config", params=text, uid=peer.uid, pid=peer.pid)
    )


# -- looking ----------------------------------------------------------------------


def _show(rooms: Rooms, params: Json) -> list[Json]:
    what, symbol = str(params.get("what") or ""), str(params.get("for") or "")
    if what and symbol:
        raise CommandError("show a key, or what holds for a symbol", hint="config show --for BTC")
    if symbol:
        return config_rows.rows_for(rooms, symbol)
    return config_rows.rows_of(rooms, what, hot_only=bool(params.get("hot")))


def _check(rooms: Rooms, params: Json) -> Json:
    files = rooms.reload
    environ = files.environ if isinstance(files, ConfigFiles) else {}
    if text := str(params.get("what") or ""):
        _not_too_long(text)
        name, faults = "FILE", check_text(text, environ)
    elif isinstance(files, ConfigFiles):
        name, faults = str(files.path), check_files(files.path, environ)
    else:
        raise _no_files()
    return {
        "name": name,
        "ok": not faults,
        "faults": [fault._asdict() | {"told": fault.told} for fault in faults],
    }


def _diff(rooms: Rooms, params: Json) -> list[Json]:
    if rooms.reload is None:
        raise _no_files()
    fresh, _ = rooms.reload()
    return config_rows.differences(rooms, fresh)


def _export(rooms: Rooms, params: Json) -> Json:
    form, settings = str(params.get("format") or "toml"), rooms.desk.settings
    if form not in ("toml", "json"):
        raise CommandError(f"--format {form[:40]}: expected toml or json")
    tree = config_rows.exported(settings)
    if form == "toml":
        return {"format": form, "text": toml_document(tree)}
    packed = msgspec.json.Encoder(decimal_format="number").encode(tree)
    return {"format": form, "text": msgspec.json.format(packed, indent=2).decode() + "\n"}


def _no_files() -> CommandError:
    return CommandError("this daemon was started without a configuration file", code="refused")


def _not_too_long(text: str) -> None:
    """Nobody keeps the daemon busy with a file that no configuration can be."""
    if len(text) > CHECKED_CHARACTERS_MAX or text.count("\n") > CHECKED_LINES_MAX:
        raise CommandError(
            f"the file is longer than {CHECKED_CHARACTERS_MAX} characters or "
            f"{CHECKED_LINES_MAX} lines",
            hint="lowcapd check FILE takes any",
        )


# -- changing one value -------------------------------------------------------------


def _set(rooms: Rooms, params: Json, who: str) -> Json:
    what, given = str(params.get("what") or ""), params.get("value")
    if not what or given is None:
        raise CommandError("set what?", hint="config set order.collar_pct 1.2")
    parts = split_key(what)
    tree = _one_value(rooms, parts, value_of(str(given)))
    if params.get("persist"):
        return _persist(rooms, tree, who, "set")
    if not is_hot(parts):
        check_known(parts)
        raise CommandError(
            f"{key_text(parts)} needs a restart",
            hint=f"config set {key_text(parts)} VALUE --persist, then restart",
            code="refused",
        )
    try:
        plan = rooms.config.plan_set(rooms.desk.settings, parts, tree)
    except ConfigError as error:
        hint = f"config show {key_text(parts)} says what it may be"
        raise ConfigError(error.faults, hint=hint) from error
    return _told(rooms, take_plan(rooms, plan, who, "set"))


def _one_value(rooms: Rooms, parts: Parts, value: object) -> Tree:
    """The tree that sets one value.

    Raises:
        CommandError: that would be a table, or a secret.
    """
    if parts[0] == "credentials" or is_secret(parts):
        raise CommandError(
            f"{key_text(parts)}: keys have files of their own", hint="docs/feeds.md", code="refused"
        )
    if is_by_hand(parts):
        raise CommandError(
            f"{key_text(parts)} is set in a file only: it names a place, a program or a key",
            hint="edit config.toml, then config reload; config diff says what needs a restart",
            code="refused",
        )
    if parts == ("trigger",) or (parts[0] == "trigger" and len(parts) < 3):
        raise CommandError(
            "a trigger is set key by key", hint="config set trigger.ID.cooldown_s 900"
        )
    if parts[0] == "trigger" and parts[2:] == ("id",):
        raise CommandError("a trigger is known by its id", hint="write a new one into a file")
    held = lookup(to_tree(rooms.desk.settings), parts)
    if isinstance(value, dict) or isinstance(held, dict):
        raise CommandError(
            f"{key_text(parts)} is a table", hint=f"set one of its keys: {key_text(parts)}.KEY"
        )
    if held is MISSING and parts[0] == "trigger":
        rows = {trigger.id for trigger in rooms.desk.settings.trigger}
        if parts[1] not in rows:
            raise config_rows.no_such_key(rooms.desk.settings, parts)
    return overlay(parts, value)


def _persist(rooms: Rooms, tree: Tree, who: str, how: str) -> Json:
    """Write values down, then let those that are hot take effect."""
    files = _files(rooms)
    plan = rooms.config.plan_persisted(rooms.desk.settings, tree)
    draft = files.draft_with(tree)
    said = tuple(
        Changed(key_text(parts), "", f"{config_rows.shown(parts, lookup(tree, parts))} {_IN_FILE}")
        for parts in keys_of(tree)
    )
    return _written(rooms, draft, plan, said, who, how)


def _written(
    rooms: Rooms, draft: Draft, plan: Plan, said: tuple[Changed, ...], who: str, how: str
) -> Json:
    _files(rooms).keep(draft)
    done = take_plan(rooms, plan, who, how)
    digest = digest_of(plan.now)
    record_change(
        rooms,
        facts.ConfigReloaded(config_hash=digest, changed=(), who=who, changes=said, how="persist"),
    )
    return _told(rooms, done) | {"written": str(draft.path)}


def _files(rooms: Rooms) -> ConfigFiles:
    if not isinstance(rooms.reload, ConfigFiles):
        raise _no_files()
    return rooms.reload


def _unset(rooms: Rooms, params: Json, who: str) -> Json:
    what = str(params.get("what") or "")
    parts = split_key(what)
    config, running = rooms.config, rooms.desk.settings
    if params.get("persist"):
        files = _files(rooms)
        draft = files.draft_without(parts)
        fresh = from_tree(_without_unread(files, draft))
        plan = config.plan(running, base=fresh, trial=config.trial)
        gone = Changed(key_text(parts), "", f"no longer {_IN_FILE}")
        return _written(rooms, draft, plan, (gone,), who, "unset")
    if lookup(config.sets, parts) is MISSING:
        raise CommandError(
            f"{key_text(parts)} was not set at run time",
            hint="config show --origin says where it comes from",
            code="not-found",
        )
    return _told(rooms, take_plan(rooms, config.plan_unset(running, parts), who, "unset"))


def _without_unread(files: ConfigFiles, draft: Draft) -> Tree:
    """The layers in force with the runtime file as drafted; other edits wait for a reload."""
    ours = {layer.name: layer for layer in draft.layers if layer.name == RUNTIME_LAYER}
    return merged(ours.get(layer.name, layer) for layer in files.layers)


# -- a file on trial ----------------------------------------------------------------


def _apply(rooms: Rooms, params: Json, who: str) -> Json:
    text = str(params.get("what") or "")
    if not text.strip():
        raise CommandError("apply what?", hint="config apply FILE --confirm-within 60s")
    config, desk = rooms.config, rooms.desk
    if config.trial is not None:
        raise CommandError(
            f"an apply by {config.trial.who} waits for its confirmation until "
            f"{iso_ms(config.trial.until_ms)[11:19]}Z",
            hint="config confirm, or config undo",
            code="refused",
        )
    within_s = _within_s(params.get("confirm_within"))
    tree = _tree_of(text)
    whole = laid_on(config.base, tree)
    trial = config.next_trial(tree, who, desk.now_ms() + within_s * 1000)
    plan = config.plan(desk.settings, trial=trial)
    left = sorted(
        {
            row["key"]
            for row in config_rows.differences(rooms, whole)
            if not row["hot"] and lookup(tree, split_key(row["key"])) is not MISSING
        }
    )
    if plan.trial is None:
        raise CommandError(
            "the file says nothing of what can change without a restart",
            hint="config keys --hot",
            code="refused",
        )
    rooms.keeper.start(partial(_expire, rooms, trial.number, within_s))
    done = take_plan(rooms, plan, who, "apply")
    if not done.changed:
        config.enter(config.plan_reverted(desk.settings))
    return _told(rooms, done) | {"not_applied": left, "not_named": _not_named(rooms, tree)}


def _tree_of(text: str) -> Tree:
    """The tree of a file.

    Raises:
        ConfigError: it is no TOML.
    """
    _not_too_long(text)
    if too_deep(text):
        raise ConfigError(["FILE: nested too deeply"])
    return parse(text, "FILE")


def _within_s(given: object) -> int:
    if given is None:
        return CONFIRM_WITHIN_S
    try:
        seconds = parse_duration_s(str(given))
    except ValueError:
        seconds = 0
    if not 0 < seconds <= CONFIRM_S_MAX:
        raise CommandError(
            f"--confirm-within {str(given)[:40]}: expected 1s to 1h", hint="30s, 10m or 1h"
        )
    return seconds


def _not_named(rooms: Rooms, tree: Tree) -> list[str]:
    """Triggers that go on although the file, which names others, leaves them out."""
    rows = tree.get("trigger")
    if not isinstance(rows, list):
        return []
    named = {row.get("id") for row in rows if isinstance(row, dict)}
    return [t.id for t in rooms.desk.settings.trigger if t.id not in named]


async def _expire(rooms: Rooms, number: int, within_s: float) -> None:
    await trio.sleep(within_s)
    trial = rooms.config.trial
    if trial is not None and trial.number == number:
        take_plan(
            rooms,
            rooms.config.plan_reverted(rooms.desk.settings),
            f"the clock, nobody confirmed the apply of {trial.who}",
            "revert",
        )


def _waiting(rooms: Rooms) -> Trial:
    trial = rooms.config.trial
    if trial is None:
        raise CommandError(
            "no apply waits for a confirmation",
            hint="one that was not confirmed in time has been reverted; see config diff",
            code="not-found",
        )
    return trial


def _confirm(rooms: Rooms, params: Json, who: str) -> Json:
    trial, running = _waiting(rooms), rooms.desk.settings
    keys = tuple(Changed(key_text(parts), "", "stays") for parts in keys_of(trial.tree))
    if params.get("persist"):
        return _persist(rooms, trial.tree, who, "confirm") | {"confirmed": len(keys)}
    done = take_plan(rooms, rooms.config.plan_confirmed(running), who, "confirm")
    record_change(
        rooms,
        facts.ConfigReloaded(
            config_hash=rooms.config_hash, changed=(), who=who, changes=keys, how="confirm"
        ),
    )
    return _told(rooms, done) | {"confirmed": len(keys)}


def _undo(rooms: Rooms, params: Json, who: str) -> Json:
    _waiting(rooms)
    plan = rooms.config.plan_reverted(rooms.desk.settings)
    return _told(rooms, take_plan(rooms, plan, who, "revert"))


def _reload(rooms: Rooms, params: Json, who: str) -> Json:
    return _told(rooms, reload(rooms, who))


def _told(rooms: Rooms, done: Reloaded) -> Json:
    value: Json = to_builtins(done)
    return value | config_rows.config_row(rooms)
