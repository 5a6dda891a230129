"""What is laid on the files while the daemon runs: values set, and an apply on trial. Pure.

Every step is planned first: what would hold now, and what would hold once a
trial reverts, are both checked before anything is touched. So a revert cannot
fail, whatever was set or reloaded in between.
"""

from __future__ import annotations

from attrs import Factory, define, evolve, frozen

from lowcap.config import from_tree
from lowcap.config_check import held_faults
from lowcap.config_keys import HOT, is_by_hand
from lowcap.config_tree import merge
from lowcap.config_types import HINT
from lowcap.config_values import Parts, Tree, keys_of, to_tree, without
from lowcap.core.errors import ConfigError
from lowcap.settings import Settings


@frozen
class Trial:
    """An apply that reverts by itself at ``until_ms`` (wall time), unless it is confirmed."""

    tree: Tree
    who: str
    until_ms: int
    number: int


@frozen
class Plan:
    """A step that has been found fine: what the layers are after it, and what then holds."""

    base: Settings
    sets: Tree
    trial: Trial | None
    now: Settings


@define
class RuntimeConfig:
    """The layers above the files. ``base`` is what the files said when they were last taken."""

    base: Settings
    sets: Tree = Factory(dict)
    trial: Trial | None = None
    trials: int = 0

    @property
    def trial_tree(self) -> Tree:
        """What is on trial; nothing where nothing is."""
        return self.trial.tree if self.trial is not None else {}

    def unsaved(self) -> list[Parts]:
        """The keys that a restart would forget."""
        return sorted({*keys_of(self.sets), *keys_of(self.trial_tree)})

    def plan(
        self,
        running: Settings,
        *,
        base: Settings | None = None,
        sets: Tree | None = None,
        trial: Trial | None = None,
    ) -> Plan:
        """What would hold with these layers; ``trial`` is the only one that there would be.

        Raises:
            ConfigError: with every fault; nothing has changed.
        """
        base = base or self.base
        sets = self.sets if sets is None else sets
        later = now = laid_on(base, sets)
        check_held(running, later)
        if trial is not None and trial.tree:
            now = laid_on(later, trial.tree)
            check_held(running, now)
        return Plan(base, sets, trial if trial is not None and trial.tree else None, now)

    def plan_set(self, running: Settings, parts: Parts, tree: Tree) -> Plan:
        """With one value set; it also takes the place of what is on trial under its key."""
        sets = merge(without(self.sets, parts), tree)
        return self.plan(running, sets=sets, trial=self._trial_without(parts))

    def plan_unset(self, running: Settings, parts: Parts) -> Plan:
        """Without a value that was set."""
        return self.plan(running, sets=without(self.sets, parts), trial=self.trial)

    def plan_persisted(self, running: Settings, tree: Tree) -> Plan:
        """With values that the files will say: as part of what they are."""
        sets, trial = self.sets, self.trial
        for parts in keys_of(tree):
            sets = without(sets, parts)
            if trial is not None:
                trial = _less(trial, parts)
        return self.plan(running, base=laid_on(self.base, tree), sets=sets, trial=trial)

    def plan_confirmed(self, running: Settings) -> Plan:
        """With what is on trial as if it had been set."""
        return self.plan(running, sets=merge(self.sets, self.trial_tree))

    def plan_reverted(self, running: Settings) -> Plan:
        """Without what is on trial."""
        return self.plan(running)

    def next_trial(self, tree: Tree, who: str, until_ms: int) -> Trial:
        """What a file says of the hot sections, as a trial that has not begun."""
        hot = {name: value for name, value in tree.items() if name in HOT}
        for parts in keys_of(hot):
            if is_by_hand(parts):
                hot = without(hot, parts)
        self.trials += 1
        return Trial(hot, who, until_ms, self.trials)

    def enter(self, plan: Plan) -> None:
        """A plan has been carried out."""
        self.base, self.sets, self.trial = plan.base, plan.sets, plan.trial

    def _trial_without(self, parts: Parts) -> Trial | None:
        return _less(self.trial, parts) if self.trial is not None else None


def _less(trial: Trial, parts: Parts) -> Trial:
    return Trial(without(trial.tree, parts), trial.who, trial.until_ms, trial.number)


def laid_on(settings: Settings, tree: Tree) -> Settings:
    """Settings with a tree laid on them, as a file of ``config.d`` would be.

    Raises:
        ConfigError: with every fault.
    """
    return from_tree(merge(to_tree(settings), tree)) if tree else settings


def check_held(running: Settings, fresh: Settings) -> None:
    """The hot sections of ``fresh`` where the daemon trades now, whatever ``fresh`` says of that.

    Raises:
        ConfigError: a ceiling that holds there would be exceeded.
    """
    faults = list(held_faults(hot_of(running, fresh)))
    if faults:
        raise ConfigError(faults, hint=HINT)


def hot_of(running: Settings, fresh: Settings) -> Settings:
    """The settings that run, with the hot sections of others."""
    return evolve(running, **{name: getattr(fresh, name) for name in HOT})
