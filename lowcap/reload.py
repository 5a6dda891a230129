"""A changed configuration taken into a running daemon: all of it or none, and recorded."""

from __future__ import annotations

import attrs
from msgspec import Struct

from lowcap.actions import Parts
from lowcap.config import digest_of
from lowcap.config_diff import changes_between
from lowcap.config_files import ConfigFiles
from lowcap.config_keys import HOT
from lowcap.config_runtime import Plan, check_held, hot_of
from lowcap.core import facts
from lowcap.core.errors import CommandError, ConfigError, LedgerError
from lowcap.core.messages import Changed
from lowcap.detection.rules import Detector
from lowcap.observe.logs import set_level
from lowcap.settings import Settings

# What detection is compiled from; that takes its time, and news waits for it.
OF_DETECTION = frozenset({"trigger", "hedge", "payroll", "coin_overrides"})
WITH_RUNTIME = "values set at run time are laid on the files: config unset KEY, config undo"


class Reloaded(Struct, frozen=True, kw_only=True):
    """What a reload did: sections and keys that took effect, and what needs a restart."""

    config_hash: str
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    changes: tuple[Changed, ...] = ()


def reload(parts: Parts, who: str) -> Reloaded:
    """Read the configuration again and let the hot sections take effect, between two frames.

    Values that were set at run time stay, and an apply that waits for its
    confirmation goes on waiting.

    Raises:
        ConfigError: the file has faults; nothing has changed.
        CommandError: this daemon was started without a file to read again.
    """
    if parts.reload is None:
        raise CommandError("there is no configuration file to read again", code="refused")
    fresh, _ = parts.reload()
    config = parts.config
    try:
        plan = config.plan(parts.desk.settings, base=fresh, trial=config.trial)
    except ConfigError as error:
        if not config.unsaved():
            raise
        raise ConfigError(error.faults, hint=WITH_RUNTIME) from error
    done = take_plan(parts, plan, who)
    if isinstance(parts.reload, ConfigFiles):
        parts.reload.take()
    return done


def take_plan(parts: Parts, plan: Plan, who: str, how: str = "reload") -> Reloaded:
    """Carry out a planned step: its settings take effect, its layers are those in force."""
    done = take(parts, plan.now, digest_of(plan.now), who, how)
    parts.config.enter(plan)
    return done


def take(parts: Parts, fresh: Settings, digest: str, who: str, how: str = "reload") -> Reloaded:
    """Let the hot sections of ``fresh`` take effect.

    Raises:
        ConfigError: a ceiling that holds where the daemon trades would be exceeded.
    """
    desk, flow = parts.desk, parts.flow
    old = desk.settings
    differing = [
        field.name
        for field in attrs.fields(Settings)
        if getattr(old, field.name) != getattr(fresh, field.name)
    ]
    changed = tuple(name for name in differing if name in HOT)
    changes: tuple[Changed, ...] = ()
    if changed:
        check_held(old, fresh)
        merged = hot_of(old, fresh)
        changes = changes_between(old, fresh, changed)
        detector = flow.detector
        if not OF_DETECTION.isdisjoint(changed):
            # Compiled before anything is touched: a fault in here changes nothing.
            detector = Detector(merged.trigger, merged.hedge, detector.coins, merged.payroll)
            detector.coins.override(merged.coin_overrides)
        flow.detector = detector
        desk.take_settings(merged)
        if "log" in changed:
            set_level(merged.log.level)
        flow.refresh_enabled()
        parts.keeper.replan()
        parts.config_hash = digest
        record_change(
            parts,
            facts.ConfigReloaded(
                config_hash=digest, changed=changed, who=who, changes=changes, how=how
            ),
        )
    # Also where nothing of them changed: a sink that was given up may have another key by now.
    parts.alerts.take(desk.settings.notify)
    return Reloaded(
        config_hash=digest,
        changed=changed,
        changes=changes,
        needs_restart=tuple(name for name in differing if name not in HOT),
    )


def record_change(parts: Parts, fact: facts.ConfigReloaded) -> None:
    """Write down what has changed. It stands, even where the disk refuses to know."""
    desk = parts.desk
    desk.record(fact)
    try:
        desk.ledger.sync_now()
    except LedgerError as error:
        desk.alarm("ledger", f"a change of settings is not on the disk: {error}", "free the disk")
