"""The hot path: one synchronous chain from the bytes of a frame to the bytes of an order.

Frame, decode, judge, admit, gate, intent, send: nothing in between waits,
logs, or asks the disk to sync. What only explains is written after the send.
Signals of the batch tier alone wait for a turn of their own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import trio
from msgspec import Struct, structs

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, NS_PER_S, Clock
from lowcap.core.messages import Failure, Miss, NewsItem, NotNews, Refusal, Signal, Target, Verdict
from lowcap.core.plain import plain
from lowcap.detection.admission import DECIDED_MS, REFUSED_COOLDOWN_S, Admission
from lowcap.detection.rules import FAULT, Detector
from lowcap.detection.trigger import BATCH
from lowcap.execution.desk import Desk
from lowcap.execution.retry import Attempt, remember
from lowcap.feeds.session import Decoder, FeedStatus
from lowcap.risk.breaker import FEED
from lowcap.risk.guard_state import GUARD
from lowcap.risk.guards import TRIGGER_EXECUTIONS
from lowcap.risk.sizing import Wish

QUIET_RECORDS_PER_S = 100
NEAR_RECORDS_PER_S = 1_000
BATCH_MAX = 64
HEAD_BYTES = 160
# Counted decisions, beside the number of frames: the words of ``Flow.counts``.
SIGNALS, NO_TRADE, STALE, DROPPED = "signals", "no_trade", "stale", "dropped"


class Seen(Struct, kw_only=True):
    """A judged item on its way: what was found, how it came, and our own work on it so far.

    ``since_ns`` is the stage counter at the end of the last stage in ``stages_us``.
    """

    item: NewsItem
    verdict: Verdict
    signal: Signal
    connected_ms: int
    stages_us: dict[str, float]
    since_ns: int


class Flow:
    """Everything between a feed's receiving task and the desk.

    ``after`` hears of every frame when all is done with it: the feed, when it
    came, and its bytes. It is not told of frames that may echo a key.
    """

    def __init__(
        self,
        desk: Desk,
        detector: Detector,
        admission: Admission,
        decoders: dict[str, Decoder],
        clock: Clock,
        started_ms: int,
    ) -> None:
        self.desk = desk
        self.detector = detector
        self.admission = admission
        self.decoders = decoders
        self.started_ms = started_ms
        self.enabled: frozenset[str] = frozenset()
        self.unrecorded = 0
        self.counts: Counter[str] = Counter()
        self.after: Callable[[str, int, bytes], None] = lambda feed, received_ns, frame: None
        self.batch: deque[Seen] = deque()
        self.batch_peak = 0
        self._bell = trio.Event()
        self._clock = clock
        self._second = 0
        self._room = {False: QUIET_RECORDS_PER_S, True: NEAR_RECORDS_PER_S}

    def on_frame(self, feed: FeedStatus, frame: bytes) -> None:
        """Take one frame to its end: an order, a refusal, or a reasoned nothing."""
        start_ns = self._clock.stage_ns()
        received_ns = self._clock.now_ns()
        item = self.decoders[feed.name].decode(frame, received_ns)
        if isinstance(item, NotNews):
            if item.fault:
                feed.faults += 1
                self.desk.breakers.on_failure(FEED + feed.name, f"faulty frame: {item.reason}")
                self._refuse_frame(feed.name, item.reason, frame, received_ns)
                self.after(feed.name, received_ns, frame)
            return
        parsed_ns = self._clock.stage_ns()
        if self.desk.breakers.tripped:
            self.desk.breakers.on_success(FEED + feed.name)
        verdict = self.detector.judge(item, self.enabled)
        judged_ns = self._clock.stage_ns()
        if verdict.signal is None:
            self._no_trade(item, verdict)
        else:
            stages_us = {
                "receive": (start_ns - (feed.taken_ns or start_ns)) / 1000,
                "parse": (parsed_ns - start_ns) / 1000,
                "detect": (judged_ns - parsed_ns) / 1000,
            }
            seen = Seen(
                item=item,
                verdict=verdict,
                signal=verdict.signal,
                connected_ms=feed.connected_ms,
                stages_us=stages_us,
                since_ns=judged_ns,
            )
            if verdict.signal.tier == BATCH:
                self._queue(seen)
            else:
                self._trade(seen, received_ns // NS_PER_MS)
        feed.saw_news(item.time_ms, received_ns // NS_PER_MS)
        for miss in verdict.misses:
            if miss.failed and miss.failed[0].reason == FAULT:
                self._turn_off(miss.trigger, miss.failed[0].detail)
        self.after(feed.name, received_ns, frame)

    # -- the batch tier -----------------------------------------------------

    def _queue(self, seen: Seen) -> None:
        """Let a signal wait its turn; where too many wait, the oldest is dropped and named."""
        self.batch.append(seen)
        self.batch_peak = max(self.batch_peak, len(self.batch))
        if len(self.batch) > BATCH_MAX:
            old = self.batch.popleft()
            why = f"{BATCH_MAX} signals of the batch tier were waiting"
            self._drop(old, DROPPED, Failure("queue-full", why))
        self._bell.set()

    async def run_batch(self) -> None:
        """Trade what waits, in order, letting every feed have a turn in between."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            while self.batch:
                seen = self.batch.popleft()
                now_ms = self._clock.now_ns() // NS_PER_MS
                waited_ms = now_ms - seen.item.received_ns // NS_PER_MS
                seen.signal = structs.replace(seen.signal, age_ms=seen.signal.age_ms + waited_ms)
                turn_ns = self._clock.stage_ns()
                seen.stages_us["wait"] = (turn_ns - seen.since_ns) / 1000
                seen.since_ns = turn_ns
                self._trade(seen, now_ms)
                await trio.lowlevel.checkpoint()

    # -- no trade -----------------------------------------------------------

    def _refuse_frame(self, feed: str, reason: str, frame: bytes, received_ns: int) -> None:
        if self._has_room(received_ns, near=False):
            head = plain(frame[:HEAD_BYTES].decode("utf-8", "replace"), HEAD_BYTES)
            fact = facts.FrameRefused(
                feed=feed, reason=plain(reason, 200), size=len(frame), head=head
            )
            self.desk.record(fact)

    def _no_trade(self, item: NewsItem, verdict: Verdict) -> None:
        near = any(miss.near for miss in verdict.misses)
        self.counts[STALE if verdict.reason == "stale" else NO_TRADE] += 1
        if self._has_room(item.received_ns, near=near):
            self._record_seen(item, verdict, "no-trade", verdict.reason, verdict.detail)
        self._decide(tuple(m.decides for m in verdict.misses), item.received_ns // NS_PER_MS)

    def _drop(self, seen: Seen, count: str, why: Failure) -> None:
        """A signal that may not trade any more, and why."""
        self.counts[count] += 1
        reason = f"{seen.signal.trigger}: {why.reason}"
        self._record_seen(seen.item, seen.verdict, "no-trade", reason, why.detail)

    def _decide(self, keys: tuple[str, ...], now_ms: int) -> None:
        """Close keys without a trade: the first valid payroll print is the day's decision."""
        fresh = dict.fromkeys(k for k in keys if k and not self.admission.left_ms(k, now_ms))
        if fresh:
            self._take(tuple(fresh), now_ms + DECIDED_MS, self.desk.ledger.last_seq)

    def _has_room(self, received_ns: int, *, near: bool) -> bool:
        """Whether this second still has room for records of frames that led to nothing."""
        second = received_ns // NS_PER_S
        if second != self._second:
            self._second = second
            self._room = {False: QUIET_RECORDS_PER_S, True: NEAR_RECORDS_PER_S}
        self._room[near] -= 1
        if self._room[near] < 0:
            self.unrecorded += 1
            return False
        return True

    def _record_seen(
        self, item: NewsItem, verdict: Verdict, decision: str, reason: str = "", detail: str = ""
    ) -> int:
        fact = facts.NewsSeen(
            feed=item.feed,
            source_id=plain(item.source_id, 100),
            headline=plain(item.headline),
            decision=decision,
            time_ms=item.time_ms,
            author=item.handles[0] if item.handles else "" if item.readings else item.source[:60],
            reason=reason,
            detail=plain(detail, 200),
            misses=tuple(_shown(miss) for miss in verdict.misses if miss.near),
        )
        return self.desk.record(fact).seq

    # -- trade --------------------------------------------------------------

    def _trade(self, seen: Seen, now_ms: int) -> None:
        signal, verdict = seen.signal, seen.verdict
        answer = self.admission.admit(signal, self.started_ms, now_ms, seen.connected_ms)
        if isinstance(answer, Failure):
            stale = answer.reason in ("stale", "replay")
            self._drop(seen, STALE if stale else NO_TRADE, answer)
            self._decide((signal.decides,), now_ms)
            return
        self.counts[SIGNALS] += 1
        trace = self._record_seen(seen.item, verdict, "signal", signal.trigger)
        cause = self.desk.record(
            facts.SignalRaised(
                trigger=signal.trigger,
                feed=signal.feed,
                side=signal.side,
                symbols=tuple(target.symbol for target in answer),
                matched=tuple(plain(word, 100) for word in signal.matched),
                tier=signal.tier,
                age_ms=signal.age_ms,
                time_suspect=signal.time_suspect,
            ),
            trace,
        ).seq
        sent: list[str] = []
        refused: list[str] = []
        wishes = self.desk.wishes(answer)
        admitted_ns = self._clock.stage_ns()
        seen.stages_us["admit"] = (admitted_ns - seen.since_ns) / 1000
        for target, wish in zip(answer, wishes, strict=True):
            stages_us = dict(seen.stages_us)
            if sent or refused:  # behind the other symbols of the same signal
                waited_us = (self._clock.stage_ns() - admitted_ns) / 1000
                stages_us["wait"] = stages_us.get("wait", 0.0) + waited_us
            accepted = self._enter(signal, target, wish, cause, stages_us)
            (sent if accepted else refused).append(target.key)
        if sent:
            self._take(tuple(dict.fromkeys(sent)), now_ms + signal.cooldown_s * 1000, cause)
            if signal.once:
                self._take((signal.once,), now_ms + signal.once_s * 1000, cause)
        still = tuple(key for key in dict.fromkeys(refused) if key not in sent)
        if still:
            self._take(still, now_ms + REFUSED_COOLDOWN_S * 1000, cause)

    def _enter(
        self, signal: Signal, target: Target, wish: Wish, cause: int, stages_us: dict[str, float]
    ) -> bool:
        begun_ns = self._clock.stage_ns()
        answer = self.desk.enter(signal, target, wish, cause)
        if isinstance(answer, Refusal):
            if answer.check == TRIGGER_EXECUTIONS and signal.trigger in self.enabled:
                self._guard_off(signal.trigger, answer)
            return False
        ended_ns = self._clock.stage_ns()
        stages_us["risk"] = (ended_ns - begun_ns) / 1000
        stages_us["gate_end_ns"] = ended_ns
        name = self.desk.submit(answer, cause, stages_us)
        good_ms = signal.age_ms_max - signal.age_ms
        attempt = Attempt(
            signal=signal,
            target=target,
            wish=wish,
            cause=cause,
            good_until_ms=self.desk.now_ms() + good_ms,
        )
        remember(self.desk, name, attempt)
        return True

    def _take(self, keys: tuple[str, ...], until_ms: int, cause: int) -> None:
        self.admission.take(keys, until_ms)
        self.desk.record(facts.KeysTaken(keys=keys, until_ms=until_ms), cause)

    # -- triggers -----------------------------------------------------------

    def refresh_enabled(self) -> None:
        """Which triggers listen: on in the configuration and not switched off since."""
        off = set(self.desk.book.state.switched_off)
        self.enabled = frozenset(
            trigger.id
            for trigger in self.desk.settings.trigger
            if trigger.enabled
            and not (trigger.stand_in and self.desk.mode == "live")
            and f"trigger:{trigger.id}" not in off
        )

    def _turn_off(self, trigger: str, detail: str) -> None:
        self._switch_off(trigger, "auto", plain(detail))
        self.desk.alarm("trigger-fault", f"{trigger} turned off: {plain(detail)}")

    def _guard_off(self, trigger: str, refused: Refusal) -> None:
        """A trigger that has traded too often stays off until a person enables it by name."""
        why = f"{refused.measured}, limit {refused.limit}"
        self._switch_off(trigger, GUARD, why)
        hint = f"lowcapctl trigger enable {trigger}"
        self.desk.alarm(TRIGGER_EXECUTIONS, f"{trigger} turned off: {why}", hint)

    def _switch_off(self, trigger: str, who: str, reason: str) -> None:
        self.desk.record(
            facts.Switched(kind="trigger", name=trigger, enabled=False, who=who, reason=reason)
        )
        self.refresh_enabled()


def _shown(miss: Miss) -> Miss:
    """A miss as the ledger keeps it: whatever came from the text made harmless and short."""
    return structs.replace(
        miss,
        detail=plain(miss.detail, 200),
        failed=tuple(Failure(f.reason, plain(f.detail, 200)) for f in miss.failed),
        matched=tuple(plain(word, 60) for word in miss.matched[:8]),
        blocking=tuple(plain(word, 60) for word in miss.blocking[:8]),
    )
