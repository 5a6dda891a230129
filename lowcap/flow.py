"""The hot path: one synchronous chain from the bytes of a frame to the bytes of an order.

Frame, decode, judge, gate, intent, send: nothing in between waits, logs, or
asks the disk to sync. What only explains is written after the send.
"""

from __future__ import annotations

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, NS_PER_S, Clock
from lowcap.core.messages import NewsItem, NotNews, Refusal, Signal, Target, Verdict
from lowcap.core.plain import plain
from lowcap.detection.admission import REFUSED_COOLDOWN_S, Admission
from lowcap.detection.rules import FAULT, Detector
from lowcap.execution.desk import Desk
from lowcap.feeds.session import Decoder, FeedStatus

QUIET_RECORDS_PER_S = 100
DAY_S = 86_400
HEAD_BYTES = 160


class Flow:
    """Everything between a feed's receiving task and the desk."""

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
        self.enabled: frozenset[str] = frozenset()
        self.unrecorded = 0
        self._decoders = decoders
        self._clock = clock
        self._started_ms = started_ms
        self._quiet_second = 0
        self._quiet_records = 0

    def on_frame(self, feed: FeedStatus, frame: bytes) -> None:
        """Take one frame to its end: an order, a refusal, or a reasoned nothing."""
        start_ns = self._clock.stage_ns()
        received_ns = self._clock.now_ns()
        item = self._decoders[feed.name].decode(frame, received_ns)
        if isinstance(item, NotNews):
            if item.fault:
                feed.faults += 1
                self._refuse_frame(feed.name, item.reason, frame, received_ns)
            return
        parsed_ns = self._clock.stage_ns()
        feed.news += 1
        verdict = self.detector.judge(item, self.enabled)
        judged_ns = self._clock.stage_ns()
        if verdict.signal is None:
            self._record_no_trade(item, verdict, received_ns)
        else:
            stages_us = {
                "parse": (parsed_ns - start_ns) / 1000,
                "detect": (judged_ns - parsed_ns) / 1000,
            }
            self._trade(item, verdict, verdict.signal, received_ns, stages_us)
        for miss in verdict.misses:
            if miss.reason == FAULT:
                self._turn_off(miss.trigger, miss.detail)

    # -- no trade ---------------------------------------------------------

    def _refuse_frame(self, feed: str, reason: str, frame: bytes, received_ns: int) -> None:
        if self._is_quiet(received_ns):
            head = plain(frame[:HEAD_BYTES].decode("utf-8", "replace"), HEAD_BYTES)
            fact = facts.FrameRefused(
                feed=feed, reason=plain(reason, 200), size=len(frame), head=head
            )
            self.desk.record(fact)

    def _record_no_trade(self, item: NewsItem, verdict: Verdict, received_ns: int) -> None:
        near = any(miss.near for miss in verdict.misses)
        if near or self._is_quiet(received_ns):
            self._record_seen(item, verdict, "no-trade", verdict.reason, verdict.detail)
        self._decide(tuple(m.decides for m in verdict.misses), received_ns // NS_PER_MS)

    def _decide(self, keys: tuple[str, ...], now_ms: int) -> None:
        """Close keys without a trade: the first valid payroll print is the day's decision."""
        fresh = dict.fromkeys(k for k in keys if k and not self.admission.left_ms(k, now_ms))
        if fresh:
            self._take(tuple(fresh), now_ms + DAY_S * 1000, self.desk.ledger.last_seq)

    def _is_quiet(self, received_ns: int) -> bool:
        """Whether this second still has room for records of frames that led to nothing."""
        second = received_ns // NS_PER_S
        if second != self._quiet_second:
            self._quiet_second, self._quiet_records = second, 0
        self._quiet_records += 1
        if self._quiet_records > QUIET_RECORDS_PER_S:
            self.unrecorded += 1
            return False
        return True

    def _record_seen(
        self, item: NewsItem, verdict: Verdict, decision: str, reason: str = "", detail: str = ""
    ) -> int:
        fact = facts.NewsSeen(
            feed=item.feed,
            source_id=item.source_id[:100],
            headline=plain(item.headline),
            decision=decision,
            time_ms=item.time_ms,
            author=item.handles[0] if item.handles else "" if item.readings else item.source[:60],
            reason=reason,
            detail=plain(detail, 200),
            misses=tuple(miss for miss in verdict.misses if miss.near),
        )
        return self.desk.record(fact).seq

    # -- trade ------------------------------------------------------------

    def _trade(
        self,
        item: NewsItem,
        verdict: Verdict,
        signal: Signal,
        received_ns: int,
        stages_us: dict[str, float],
    ) -> None:
        now_ms = received_ns // NS_PER_MS
        stale = self.admission.stale(signal, self._started_ms, now_ms)
        if stale:
            self._record_seen(item, verdict, "no-trade", f"{signal.trigger}: stale", stale)
            self._decide((signal.decides,), now_ms)
            return
        fresh = [t for t in signal.targets if not self.admission.left_ms(t.key, now_ms)]
        if not fresh:
            left_s = self.admission.left_ms(signal.targets[0].key, now_ms) // 1000
            detail = f"{signal.targets[0].key}: {left_s} s left"
            self._record_seen(item, verdict, "no-trade", f"{signal.trigger}: cool-down", detail)
            return
        trace = self._record_seen(item, verdict, "signal", signal.trigger)
        cause = self.desk.record(
            facts.SignalRaised(
                trigger=signal.trigger,
                feed=signal.feed,
                side=signal.side,
                symbols=tuple(target.symbol for target in fresh),
                matched=tuple(plain(word, 100) for word in signal.matched),
                tier=signal.tier,
                age_ms=signal.age_ms,
            ),
            trace,
        ).seq
        sent: list[str] = []
        refused: list[str] = []
        for target in fresh:
            accepted = self._enter(signal, target, cause, dict(stages_us))
            (sent if accepted else refused).append(target.key)
        if sent:
            self._take(tuple(dict.fromkeys(sent)), now_ms + signal.cooldown_s * 1000, cause)
        still = tuple(key for key in dict.fromkeys(refused) if key not in sent)
        if still:
            self._take(still, now_ms + REFUSED_COOLDOWN_S * 1000, cause)

    def _enter(
        self, signal: Signal, target: Target, cause: int, stages_us: dict[str, float]
    ) -> bool:
        begun_ns = self._clock.stage_ns()
        answer = self.desk.enter(signal, target, cause)
        if isinstance(answer, Refusal):
            return False
        ended_ns = self._clock.stage_ns()
        stages_us["risk"] = (ended_ns - begun_ns) / 1000
        stages_us["gate_end_ns"] = ended_ns
        self.desk.submit(answer, cause, stages_us)
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
        self.desk.record(
            facts.Switched(
                kind="trigger", name=trigger, enabled=False, who="auto", reason=plain(detail)
            )
        )
        self.desk.alarm("trigger-fault", f"{trigger} turned off: {plain(detail)}")
        self.refresh_enabled()
