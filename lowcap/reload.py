"""A changed configuration taken into a running daemon: all of it or none, and recorded."""

from __future__ import annotations

import attrs
from msgspec import Struct

from lowcap.actions import Parts
from lowcap.config_diff import changes_between
from lowcap.core import facts
from lowcap.core.errors import CommandError
from lowcap.core.messages import Changed
from lowcap.detection.rules import Detector
from lowcap.observe.logs import set_level
from lowcap.settings import Settings

# What is read anew at each use, or compiled from settings alone. The rest is wired at start.
HOT = (
    *("trigger", "hedge", "coin_overrides", "payroll"),
    *("sizing", "limits", "order", "leverage", "protect", "protect_for", "log", "notify"),
)


class Reloaded(Struct, frozen=True, kw_only=True):
    """What a reload did: sections and keys that took effect, and what needs a restart."""

    config_hash: str
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    changes: tuple[Changed, ...] = ()


def reload(parts: Parts, who: str) -> Reloaded:
    """Read the configuration again and let the hot sections take effect, between two frames.

    Raises:
        ConfigError: the file has faults; nothing has changed.
        CommandError: this daemon was started without a file to read again.
    """
    if parts.reload is None:
        raise CommandError("there is no configuration file to read again", code="refused")
    fresh, digest = parts.reload()
    return take(parts, fresh, digest, who)


def take(parts: Parts, fresh: Settings, digest: str, who: str) -> Reloaded:
    """Let the hot sections of ``fresh`` take effect."""
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
        merged = attrs.evolve(old, **{name: getattr(fresh, name) for name in changed})
        changes = changes_between(old, fresh, changed)
        coins = flow.detector.coins
        # Compiled before anything is touched: a fault in here changes nothing.
        detector = Detector(merged.trigger, merged.hedge, coins, merged.payroll)
        coins.override(merged.coin_overrides)
        flow.detector = detector
        desk.take_settings(merged)
        if "log" in changed:
            set_level(merged.log.level)
        flow.refresh_enabled()
        parts.keeper.replan()
        desk.record(
            facts.ConfigReloaded(config_hash=digest, changed=changed, who=who, changes=changes)
        )
        desk.ledger.sync_now()
        parts.config_hash = digest
    # Also where nothing of them changed: a sink that was given up may have another key by now.
    parts.alerts.take(desk.settings.notify)
    return Reloaded(
        config_hash=digest,
        changed=changed,
        changes=changes,
        needs_restart=tuple(name for name in differing if name not in HOT),
    )
