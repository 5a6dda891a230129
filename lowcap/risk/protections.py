"""Which protection a position gets: by its symbol, and by the trigger that opened it."""

from __future__ import annotations

from decimal import Decimal

import attrs

from lowcap.settings import Protect, Settings

_OVERRIDES = tuple(
    field.name for field in attrs.fields(Protect) if field.name != "stop_deadline_ms"
)


class Protections:
    """The tables of ``settings``, merged once; asking is a look-up."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.protect
        self._of_symbol: dict[str, Protect] = {}
        self._exit_s = {t.id: t.time_exit_s for t in settings.trigger if t.time_exit_s}
        for group in settings.protect_for.values():
            given = {name: getattr(group, name) for name in _OVERRIDES}
            merged = attrs.evolve(
                settings.protect, **{k: v for k, v in given.items() if v is not None}
            )
            self._of_symbol |= dict.fromkeys(group.symbols, merged)

        every = [self._default, *self._of_symbol.values()]
        # The stop and the legs of whichever position has most of them.
        self.most_exits = 1 + max(len(protect.ladder) for protect in every)

    def of(self, symbol: str) -> Protect:
        """How positions of ``symbol`` are protected."""
        return self._of_symbol.get(symbol, self._default)

    def stop_pct(self, symbol: str) -> Decimal:
        """The widest stop distance that a position of ``symbol`` may start with, in per cent."""
        protect = self.of(symbol)
        return protect.atr_pct_max if protect.atr_multiple else protect.stop_pct

    def time_exit_s(self, symbol: str, trigger: str) -> int:
        """After how many seconds a position is closed, by the trigger's word first; 0: never."""
        return self._exit_s.get(trigger, self.of(symbol).time_exit_s)
