"""What measuring costs: in the path of an order, and after it has left.

    python -m bench.latency [TRADES]

In the path there are only readings of the counter; everything else is done by
the ledger's readers, two milliseconds later, in a task of their own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from lowcap.core import facts
from lowcap.core.clock import SystemClock
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.observe.latency import OWN_STAGES, Latency
from lowcap.observe.tally import Tally

ROUNDS = 5
# What the stages receive, wait and admit have added to the path of one symbol's order: one
# reading where the frame is taken, one after admission (two more where it had to wait).
READINGS_ADDED = 2
STAGES_US = dict.fromkeys(OWN_STAGES, 45.0)


def records(trades: int) -> list[Record]:
    """Signal, intent, sent and reply of so many trades."""
    found: list[Record] = []

    def write(body: facts.Fact, cause: int = 0) -> int:
        seq = len(found) + 1
        ts, kind = seq * 1_000_000, type(body).__name__
        found.append(Record(seq=seq, ts=ts, run=1, kind=kind, cause=cause, body=body))
        return seq

    for number in range(trades):
        signal = write(
            facts.SignalRaised(
                trigger="t", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT",), matched=("x",),
                tier="macro", age_ms=5,
            )
        )  # fmt: skip
        name = f"lcd-1-{number}-e"
        intent = write(
            facts.OrderIntended(
                client_id=name, symbol="BTCUSDT", side=Side.BUY, purpose=Purpose.ENTRY,
                type="LIMIT", leg="e", recv_window_ms=1000, timestamp_ms=0,
            ),
            signal,
        )  # fmt: skip
        write(facts.OrderSent(client_id=name, road="ws", stages_us=STAGES_US), intent)
        write(
            facts.OrderUpdated(client_id=name, status="filled", source="reply", reply_us=900.0),
            intent,
        )
    return found


def best_us(work: Callable[[], object], times: int) -> float:
    """Microseconds of one of ``times`` repetitions within ``work``, in the best of the rounds."""
    found = []
    for _ in range(ROUNDS):
        begun_ns = time.perf_counter_ns()
        work()
        found.append((time.perf_counter_ns() - begun_ns) / times / 1000)
    return min(found)


def fold(given: list[Record], *readers: Callable[[Record], None]) -> None:
    for record in given:
        for read in readers:
            read(record)


def read_counter(times: int) -> None:
    read = SystemClock().stage_ns
    for _ in range(times):
        read()


def nothing(record: Record) -> None:
    """The baseline: a reader that does nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trades", nargs="?", type=int, default=5_000)
    trades: int = parser.parse_args().trades
    given = records(trades)
    idle = best_us(lambda: fold(given, nothing), trades)
    latency = best_us(lambda: fold(given, Latency().read), trades)
    both = best_us(lambda: fold(given, Latency().read, Tally().read), trades)
    reading = best_us(lambda: read_counter(trades), trades)
    print(f"{trades} trades of 4 records, best of {ROUNDS} rounds; microseconds a trade")
    print(f"{'a reader that does nothing':<34}{idle:>8.2f}")
    print(f"{'latency, after the send':<34}{latency:>8.2f}")
    print(f"{'latency and counters, after it':<34}{both:>8.2f}")
    print(f"{'added in the path of an order':<34}{reading * READINGS_ADDED:>8.2f}")


if __name__ == "__main__":
    main()
