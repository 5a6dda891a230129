"""``panic --direct``: stop the daemon, then close by ourselves, with nobody's help."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from lowcap.binance.errors import NO_SUCH_ORDER
from lowcap.binance.filters import contracts_from
from lowcap.binance.seen import snapshot_from
from lowcap.binance.wire import AlgoView, ExchangeInfo, OrderView, PositionRow
from lowcap.core.account import Snapshot
from lowcap.core.contract import Contract
from lowcap.core.errors import CommandError, LowcapError, NoAnswer
from lowcap.core.ids import prefix
from lowcap.core.money import ZERO, decimal_from_wire, wire
from lowcap.direct.road import Params, Refused, Road, is_of_the_key
from lowcap.direct.target import (
    Key,
    Say,
    Target,
    find_target,
    lay_stop_file,
    ours_by_ledger,
    signal_daemon,
)
from lowcap.execution.flatten import (
    ALARM_AFTER_S,
    CancelSeen,
    CloseQty,
    FlatProof,
    FlattenStep,
    next_steps,
)

EXIT_RECV_WINDOW_MS = 2_000
# An entry may carry a time that is ahead of the venue's by this much.
AHEAD_MS = 1_000
RETRY_S = 1.0
SILENCES_BUILT_IN = 3


class Outcome(Struct, kw_only=True):
    """How it ended: is flat proved, what was done, what is not ours, and was the daemon told."""

    flat: bool = False
    reads: int = 0
    cancelled: int = 0
    closes: int = 0
    foreign: list[str] = []
    key: str = ""
    stopped: bool = False
    took_ms: int = 0


class Flattener:
    """Reads, decides by the pure core, and carries out, until flat is proved."""

    def __init__(self, target: Target, say: Say, *, everything: bool) -> None:
        self._venue = target.venue
        self._keys = list(target.keys)
        self._say = say
        self._everything = everything
        self._prefix = prefix(target.venue.mode)
        self._ours = None if everything else ours_by_ledger(target, say)
        self._marked: set[str] = set()
        self._hedged: set[str] = set()
        self._contracts: dict[str, Contract] | None = None
        self._sent = 0
        self._last_said = ""
        self.outcome = Outcome()
        self._silences = 0
        self._road = Road(self._venue.rest_url, self._keys[0].signer, say)
        self._take_key(self._keys[0])

    def _take_key(self, key: Key) -> None:
        self._say(f"key: {key.name}")
        self.outcome.key = key.name
        self._road.signer = key.signer

    def run(self, give_up_s: float | None) -> Outcome:
        """Bring the account flat, trying for ``give_up_s`` seconds; None: for ever.

        Raises:
            LowcapError: no key is accepted, or the time is over.
        """
        try:
            return self._until_flat(give_up_s)
        finally:
            self._road.close()

    def _until_flat(self, give_up_s: float | None) -> Outcome:
        began_s = time.monotonic()
        proof: FlatProof | None = None
        alarmed = False
        while True:
            pause_s = RETRY_S
            try:
                if proof is None:
                    self._road.measure_clock()
                    proof = self._new_proof()
                seen = self._read()
                self._silences = 0
                steps = self._steps(seen)
                if proof.read(seen, steps):
                    break
                self._tell(_account(seen, steps))
                for step in steps:
                    self._carry_out(step)
                pause_s = proof.pause_s(
                    seen, busy=bool(steps), reads=self.outcome.reads, one_symbol=False
                )
            except Refused as error:
                self._tell(f"refused: {error.message}")
                self._next_key(error)
            except NoAnswer as error:
                self._tell(f"no answer: {error.message}")
                self._count_silence()
            took_s = time.monotonic() - began_s
            if give_up_s is not None and took_s > give_up_s:
                raise CommandError(
                    f"not proved flat within {give_up_s:g} s",
                    hint="run it again; without --timeout it goes on until it is flat",
                    code="timeout",
                )
            if took_s > ALARM_AFTER_S and not alarmed:
                alarmed = True
                self._say(f"NOT FLAT after {ALARM_AFTER_S:g} s, still trying")
            time.sleep(pause_s)
        outcome = self.outcome
        outcome.flat = True
        outcome.foreign = sorted({p.symbol for p in seen.positions} | self._hedged)
        outcome.took_ms = round((time.monotonic() - began_s) * 1000)
        return outcome

    def _new_proof(self) -> FlatProof:
        """Flat counts once the newest entry that the daemon may have sent by now is dead."""
        newest_ms = self._road.latest_ms() + AHEAD_MS
        return FlatProof(newest_ms + self._venue.entry_recv_window_ms)

    def _next_key(self, error: Refused) -> None:
        if not is_of_the_key(error):
            return
        refused = self._keys.pop(0)
        if not self._keys:
            raise LowcapError(
                f"the venue refuses {refused.name}: {error.message}",
                hint=error.hint,
                code="permission",
            )
        self._take_key(self._keys[0])

    # -- reading --------------------------------------------------------------

    def _read(self) -> Snapshot:
        """Both books and all positions, dated by what the venue's clock had reached before.

        Raises:
            Refused, NoAnswer: one of the reads failed, and half an answer is none.
        """
        road, at_ms = self._road, self._road.earliest_ms()
        regular = road.get("/fapi/v1/openOrders", {}, list[OrderView])
        algos = road.get("/fapi/v1/openAlgoOrders", {}, list[AlgoView])
        rows = road.get("/fapi/v3/positionRisk", {}, list[PositionRow])
        try:
            seen = snapshot_from(at_ms, regular, algos, rows)
            self._hedged = {
                row.symbol
                for row in rows
                if row.positionSide != "BOTH" and decimal_from_wire(row.positionAmt) != ZERO
            }
        except ValueError as error:
            raise NoAnswer(f"unreadable account: {error}") from None
        self.outcome.reads += 1
        self._marked |= {o.symbol for o in seen.orders if o.client_id.startswith(self._prefix)}
        if seen.positions and self._contracts is None:
            self._contracts = self._read_contracts()
        return seen

    def _read_contracts(self) -> dict[str, Contract]:
        """How large one market order may be; without an answer we try without knowing."""
        try:
            info = self._road.get("/fapi/v1/exchangeInfo", {}, ExchangeInfo, signed=False)
        except (Refused, NoAnswer) as error:
            self._say(f"sizes of market orders are not known: {error.message}")
            return {}
        return contracts_from(info, [])

    def _steps(self, seen: Snapshot) -> list[FlattenStep]:
        ours = self._ours
        if ours is None and not self._everything:
            # Without a ledger: ours is where orders of ours rest, as beside every position of ours.
            ours = {p.symbol: p.qty for p in seen.positions if p.symbol in self._marked}
        return next_steps(seen, self._contracts or {}, symbols=None, ours=ours, prefix=self._prefix)

    def _tell(self, text: str) -> None:
        """A line of progress; the same again is not said twice."""
        if text != self._last_said:
            self._last_said = text
            self._say(text)

    def _count_silence(self) -> None:
        """A venue is asked for ever, an exchange inside a daemon that is gone or stuck is not.

        Raises:
            LowcapError: it is one of those.
        """
        self._silences += 1
        if self._venue.api_secret and self._silences >= SILENCES_BUILT_IN:
            raise LowcapError(
                "the built-in exchange does not answer: it lives in the daemon, and stops with it",
                hint="it trades paper money; start the daemon again: the stop file holds it",
                code="unreachable",
            )

    # -- doing ----------------------------------------------------------------

    def _carry_out(self, step: FlattenStep) -> None:
        """One cancel or close. Whatever is said to it, the next read tells what became of it."""
        try:
            if isinstance(step, CancelSeen):
                self._cancel(step)
            else:
                self._close(step)
        except Refused as error:
            if is_of_the_key(error):
                raise
            if error.venue_code not in NO_SUCH_ORDER:
                self._say(f"{step.symbol}: refused: {error.message}")
        except NoAnswer as error:
            self._say(f"{step.symbol}: no answer, reading again: {error.message}")

    def _cancel(self, step: CancelSeen) -> None:
        self.outcome.cancelled += 1
        params: Params = {"recvWindow": EXIT_RECV_WINDOW_MS}
        if step.algo:
            self._road.change(
                "DELETE", "/fapi/v1/algoOrder", {"clientAlgoId": step.client_id, **params}
            )
        else:
            params = {"symbol": step.symbol, "origClientOrderId": step.client_id, **params}
            self._road.change("DELETE", "/fapi/v1/order", params)
        self._say(f"{step.symbol}: cancelled {step.client_id}")

    def _close(self, step: CloseQty) -> None:
        self.outcome.closes += 1
        self._sent += 1
        self._road.change(
            "POST",
            "/fapi/v1/order",
            {
                "symbol": step.symbol,
                "side": step.side.value,
                "type": "MARKET",
                "quantity": wire(step.qty),
                "reduceOnly": "true",
                "newClientOrderId": f"panic-{self._road.venue_ms()}-{self._sent}",
                "recvWindow": EXIT_RECV_WINDOW_MS,
            },
        )
        self._say(f"{step.symbol}: {step.side.value} {step.qty:f} to close")


def _account(seen: Snapshot, steps: list[FlattenStep]) -> str:
    held = ", ".join(f"{p.symbol} {p.qty:f}" for p in seen.positions) or "no position"
    said = f"account: {held}; {len(seen.orders)} orders"
    return said if steps else f"{said}; waiting until no earlier entry can arrive"


def panic_direct(
    places: list[Path],
    environ: Mapping[str, str],
    say: Say,
    *,
    everything: bool,
    reason: str,
    give_up_s: float | None,
) -> dict[str, Any]:
    """Stop the daemon by file and signal, then flatten; what was done, for the command line.

    Raises:
        CommandError: flat, but something is left that is not ours; or not flat in time; or
            flat, but a daemon may still be trading.
        LowcapError: no venue or no key is to be found, or no key is accepted.
    """
    target = find_target(places, environ, say)
    why = f"{reason or 'no reason given'} (uid {os.getuid()})"
    laid = lay_stop_file(target, why, say)
    signalled = signal_daemon(target, say)
    flattener = Flattener(target, say, everything=everything)
    outcome = flattener.run(give_up_s)
    outcome.stopped = laid or signalled
    if not outcome.stopped:
        raise CommandError(
            "flat, but nothing keeps a daemon from trading: there is no stop file",
            hint="run this as root, or stop it: systemctl stop lowcapd",
            code="failed",
        )
    if outcome.foreign:
        raise CommandError(
            f"not ours and left alone: {', '.join(outcome.foreign)}",
            hint="panic --direct --all takes everything",
            code="partial",
        )
    reply: dict[str, Any] = msgspec.to_builtins(outcome)
    return reply
