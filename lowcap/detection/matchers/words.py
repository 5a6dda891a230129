"""Which words must stand in a text, and which must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import frozen
from msgspec import Struct

from lowcap.core.messages import Failure
from lowcap.detection.phrases import Group, phrase_faults
from lowcap.detection.scan import Scan

SHOWN_MAX = 3


@frozen(kw_only=True)
class Branch:
    """One way to satisfy a rule: a phrase of each list, and a named coin where asked for."""

    all_of: tuple[tuple[str, ...], ...]
    with_coin: bool = False


def branch_faults(path: str, branches: tuple[Branch, ...]) -> Iterable[str]:
    """What is wrong with branches under ``path``."""
    for number, branch in enumerate(branches):
        if not branch.all_of:
            yield f"{path}[{number}].all_of: expected at least one list of phrases"
        yield from list_faults(f"{path}[{number}].all_of", branch.all_of)


def list_faults(path: str, lists: tuple[tuple[str, ...], ...]) -> Iterable[str]:
    """What is wrong with lists of phrases under ``path``."""
    for number, phrases in enumerate(lists):
        if not phrases:
            yield f"{path}[{number}]: expected at least one phrase"
        yield from phrase_faults(f"{path}[{number}]", phrases)


class Outcome(Struct, frozen=True):
    """How a text met some branches: the words that did it, or what the nearest one misses."""

    holds: bool
    matched: tuple[str, ...]
    missing: str = ""


class Branches:
    """Compiled ways, of which one must hold."""

    def __init__(self, branches: Iterable[Branch], erase: Group) -> None:
        self._ways = [
            (tuple(Group(phrases) for phrases in branch.all_of), branch.with_coin)
            for branch in branches
        ]
        self._erase = erase

    @property
    def groups(self) -> Iterator[Group]:
        """Every list of phrases."""
        return (group for groups, _ in self._ways for group in groups)

    @property
    def first_groups(self) -> Iterator[Group]:
        """The first list of each way: without one of these nothing holds."""
        return (groups[0] for groups, _ in self._ways)

    def meet(self, scan: Scan, names_coin: Callable[[], bool]) -> Outcome:
        """Try each way; the first that holds, else the one that got farthest."""
        best = Outcome(False, (), "a way that holds")
        for groups, with_coin in self._ways:
            words: list[str] = []
            missing = ""
            for group in groups:
                found = scan.first(group, self._erase)
                if found is not None:
                    words.append(found.words)
                else:
                    missing = missing or _shown(group)
            if not missing and with_coin and not names_coin():
                missing = "a coin that it names"
            if not missing:
                return Outcome(True, tuple(words))
            if len(words) > len(best.matched) or not best.matched:
                best = Outcome(False, tuple(words), missing)
        return best


def _shown(group: Group) -> str:
    more = "…" if len(group.written) > SHOWN_MAX else ""
    return "none of: " + ", ".join(group.written[:SHOWN_MAX]) + more


class Barrier:
    """Words that block: a trigger's own and the hedge list's, outside what ``excuse`` covers."""

    def __init__(self, none_of: Iterable[str], hedge: Iterable[str], excuse: Group) -> None:
        self.group = Group([*none_of, *hedge])
        self._excuse = excuse

    def blocking(self, scan: Scan) -> tuple[str, ...]:
        """The words of a text that block, in order."""
        return scan.words(self.group, self._excuse)

    def failure(self, blocking: tuple[str, ...]) -> Iterable[Failure]:
        """The failure that blocking words are, if there are any."""
        if blocking:
            yield Failure("forbidden-phrase", ", ".join(blocking[:SHOWN_MAX]))
