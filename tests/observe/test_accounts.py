"""The accounts: exact sums of what the ledger tells, whatever comes twice, late or from others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lowcap.core import facts
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side
from lowcap.ledger.record import decode_line, encode_line
from lowcap.observe import accounts as room
from lowcap.observe.accounts import EARLIER, OVERLAP_MS, Accounts
from lowcap.observe.statements import Now, closed_trades, equity, profit_and_loss
from lowcap.observe.sums import Sums

D = Decimal
T0 = 1_770_384_600_000  # 2026-02-06 13:30 UTC
HOUR = 3_600_000
XRP, BTC = "XRPUSDT", "BTCUSDT"


class Tale:
    """A ledger as it is written, and the accounts that read along."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.records: list[Record] = []
        self.now_ms = T0
        self._trades = 0

    def tell(self, fact: Fact, cause: int = 0) -> Record:
        seq = len(self.records) + 1
        record = Record(
            seq=seq, ts=self.now_ms * 10**6, run=1, kind=type(fact).__name__, cause=cause, body=fact
        )
        self.records.append(decode_line(encode_line(record).rstrip(b"\n")))
        self.accounts.read(self.records[-1])
        return record

    def enter(self, symbol: str = XRP, trigger: str = "nfp", **changes: Any) -> str:
        """A signal and the intent that follows from it."""
        signal = facts.SignalRaised(
            trigger=trigger, feed="tokyo", side=Side.BUY, symbols=(symbol,), matched=(),
            tier="macro", age_ms=1,
        )  # fmt: skip
        cause = self.tell(signal).seq
        return self.intend(Purpose.ENTRY, "e", symbol, cause, **changes)

    def intend(
        self, purpose: Purpose, leg: str, symbol: str = XRP, cause: int = 0, **changes: Any
    ) -> str:
        name = f"lcd-1-{len(self.records) + 1}-{leg}"
        given: dict[str, Any] = {
            "client_id": name, "symbol": symbol, "side": Side.BUY, "purpose": purpose,
            "type": "LIMIT", "leg": leg, "recv_window_ms": 1_000, "timestamp_ms": self.now_ms,
        }  # fmt: skip
        self.tell(facts.OrderIntended(**(given | changes)), cause)
        return name

    def fill(
        self,
        name: str,
        qty: str,
        price: str,
        symbol: str = XRP,
        side: Side = Side.BUY,
        **money: Any,
    ) -> facts.Filled:
        self._trades += 1
        given: dict[str, Any] = {"trade_id": self._trades, "venue_ms": self.now_ms}
        fact = facts.Filled(
            client_id=name, symbol=symbol, side=side, qty=D(qty), price=D(price),
            **(given | money),
        )  # fmt: skip
        self.tell(fact, int(name.split("-")[2]) if name.startswith("lc") else 0)
        return fact

    def closed(self, symbol: str = XRP) -> None:
        self.tell(facts.PositionClosed(symbol=symbol, realized=ZERO, fees=ZERO))

    def income(self, kind: str, usdt: str, symbol: str = XRP, **changes: Any) -> None:
        given: dict[str, Any] = {"tran_id": len(self.records), "venue_ms": self.now_ms}
        self.tell(facts.IncomeSeen(kind=kind, symbol=symbol, usdt=D(usdt), **(given | changes)))

    def equity(self, wallet: str, unrealized: str = "0") -> None:
        self.tell(facts.EquitySeen(wallet_usdt=D(wallet), unrealized_usd=D(unrealized)))

    def trade(self, profit: str = "5", symbol: str = XRP, trigger: str = "nfp") -> None:
        """One whole trade with a dollar of fees on each side."""
        self.fill(self.enter(symbol, trigger), "10", "2", symbol, fee=D(1))
        self.now_ms += 60_000
        name = self.intend(Purpose.CLOSE, "c", symbol)
        self.fill(name, "10", "2.5", symbol, Side.SELL, fee=D(1), realized=D(profit))
        self.closed(symbol)

    @property
    def total(self) -> Sums:
        total = Sums()
        for sums in self.accounts.sums.values():
            total.add(sums)
        return total

    def pnl(self, period: str = "all", by: str = "") -> Any:
        now = Now(at_ms=self.now_ms, wallet_usdt=D(100), unrealized={})
        return profit_and_loss(self.accounts, period, by, now)


def test_a_trade_from_its_signal_to_its_result() -> None:
    tale = Tale()
    entry = tale.enter(decision_price=D("2.00"), side=Side.BUY)
    tale.fill(entry, "10", "2.01", fee=D("0.01"))
    tale.fill(entry, "30", "2.03", fee=D("0.03"))
    tale.now_ms += HOUR
    tale.income("FUNDING_FEE", "-0.5")
    leg, stop = tale.intend(Purpose.TAKE_PROFIT, "t1"), tale.intend(Purpose.STOP, "s")
    tale.fill(leg, "15", "2.10", side=Side.SELL, fee=D("0.02"), realized=D("1.0"))
    tale.fill(stop, "25", "1.90", side=Side.SELL, fee=D("0.04"), realized=D("-3.0"))
    assert tale.accounts.state.open[XRP].qty == 40
    tale.closed()
    [row] = closed_trades(tale.accounts, 0)
    assert row == {
        "trace": 2, "symbol": XRP, "side": "LONG", "trigger": "nfp", "feed": "tokyo",
        "opened": "2026-02-06T13:30:00.000Z", "closed": "2026-02-06T14:30:00.000Z",
        "held_s": 3_600, "qty": "40", "entry_price": "2.025", "exit_qty": "40",
        "exit_price": "1.975", "volume_usd": "160", "realized_usd": "-2", "fees_usd": "0.1",
        "funding_usd": "-0.5", "liquidation_usd": "0", "slippage_usd": "1",
        "slippage_bps": "125.00", "result_usd": "-2.6",
    }  # fmt: skip


def test_slippage_of_a_short_counts_the_other_way() -> None:
    tale = Tale()
    entry = tale.enter(decision_price=D("2.00"), side=Side.SELL)
    tale.fill(entry, "10", "1.99", side=Side.SELL)
    assert tale.total.slippage == D("0.10")


def test_a_fill_or_booking_told_twice_counts_once() -> None:
    tale = Tale()
    fact = tale.fill(tale.enter(), "10", "2", fee=D(1), realized=D(3))
    tale.income("FUNDING_FEE", "-0.5", tran_id=7)
    before = tale.total
    tale.tell(fact)
    tale.tell(facts.IncomeSeen(kind="FUNDING_FEE", symbol=XRP, usdt=D("-0.5"), tran_id=7,
                               venue_ms=T0))  # fmt: skip
    assert tale.total == before
    # The venue's numbers are unique within a kind only.
    tale.income("INSURANCE_CLEAR", "-0.25", tran_id=7)
    assert tale.total.liquidation == D("-0.25")


def test_what_others_trade_is_kept_apart_until_it_turns_out_to_be_ours() -> None:
    tale = Tale()
    tale.equity("1000")
    tale.income("COMMISSION", "-2", trade_id=77)
    tale.income("REALIZED_PNL", "9", trade_id=77)
    assert (tale.total.not_ours, tale.total.result) == (D(7), ZERO)
    name = tale.enter()
    tale.fill(name, "10", "2", trade_id=77, fee=D(2), realized=D(9))
    assert (tale.total.not_ours, tale.total.result) == (ZERO, D(7))
    assert tale.accounts.state.explained == D(7)
    # Its bookings are known from now on.
    tale.income("COMMISSION", "-2", trade_id=77, tran_id=500)
    assert tale.total.moved == D(7)


def test_money_without_a_trade_of_ours_still_explains_the_wallet() -> None:
    tale = Tale()
    tale.equity("1000")
    tale.income("FUNDING_FEE", "-1", BTC)
    tale.income("TRANSFER", "500", "")
    tale.income("COMMISSION_REBATE", "0.25", "")
    tale.income("COMMISSION", "-0.001", BTC, asset="BNB")
    total = tale.total
    assert (total.not_ours, total.transfers, total.other) == (D(-1), D(500), D("0.25"))
    assert tale.accounts.state.explained == D("499.25")
    assert tale.pnl()["other_assets"] == {"BNB": "-0.001"}
    assert tale.pnl()["wallet"]["unexplained_usd"] == str(D(100) - 1000 - D("499.25"))


def test_funding_told_after_the_close_reaches_its_trade_and_may_turn_a_win() -> None:
    tale = Tale()
    tale.trade("3")
    assert (tale.total.wins, tale.total.losses) == (1, 0)
    tale.now_ms += 30_000
    tale.income("FUNDING_FEE", "-2", venue_ms=T0 + 30_000)
    assert (tale.total.trades, tale.total.wins, tale.total.losses) == (1, 0, 1)
    assert tale.accounts.state.closed[0].sums.result == D(-1)
    # Long after the close it belongs to nobody here.
    tale.income("FUNDING_FEE", "-2", venue_ms=T0 + HOUR)
    assert tale.total.not_ours == D(-2)


def test_a_late_fill_of_an_old_exit_is_not_booked_on_the_next_trade() -> None:
    tale = Tale()
    tale.fill(tale.enter(trigger="first"), "10", "2")
    old_exit = tale.intend(Purpose.CLOSE, "c")
    tale.closed()
    tale.fill(tale.enter(trigger="second"), "10", "2")
    tale.fill(old_exit, "10", "2.1", side=Side.SELL, realized=D(1))
    by = {row["name"]: row["realized_usd"] for row in tale.pnl(by="trigger")["rows"]}
    assert by == {"first": "1", "second": "0"}


def test_a_forced_close_belongs_to_the_trade_that_it_ends() -> None:
    tale = Tale()
    tale.fill(tale.enter(), "10", "2", fee=D(1))
    tale.fill("autoclose-1", "10", "1", side=Side.SELL, realized=D(-10))
    tale.closed()
    tale.income("INSURANCE_CLEAR", "-3")
    assert tale.accounts.state.closed[0].sums.result == D(-14)


def test_periods_and_groups_add_up() -> None:
    tale = Tale()
    for day, trigger, symbol in ((0, "nfp", XRP), (1, "elon", BTC), (1, "nfp", BTC)):
        tale.now_ms = T0 + day * 24 * HOUR
        tale.trade("5", symbol, trigger)
    assert tale.pnl("today")["total"]["result_usd"] == "6"
    assert tale.pnl("yesterday")["total"]["result_usd"] == "3"
    assert tale.pnl("7d")["total"]["trades"] == 3
    for by, names in (
        ("day", ["2026-02-06", "2026-02-07"]),
        ("trigger", ["nfp", "elon"]),
        ("symbol", [BTC, XRP]),
        ("feed", ["tokyo"]),
    ):
        rows = tale.pnl("30d", by)["rows"]
        assert [row["name"] for row in rows] == names
        assert sum(D(row["result_usd"]) for row in rows) == 9
    tale.now_ms += 7 * 24 * HOUR
    assert tale.pnl("7d")["total"]["trades"] == 0
    assert tale.pnl("30d")["total"]["trades"] == 3


def test_days_too_far_back_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "DAYS_KEPT", 3)
    tale = Tale()
    for day in range(6):
        tale.now_ms = T0 + day * 24 * HOUR
        tale.trade()
    rows = tale.pnl("all", "day")["rows"]
    assert [row["name"] for row in rows] == [EARLIER, "2026-02-09", "2026-02-10", "2026-02-11"]
    assert (rows[0]["trades"], tale.pnl("all")["total"]["result_usd"]) == (3, "18")


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    tale = Tale()
    tale.fill(tale.enter(), "10", "2", trade_id=5)
    tale.income("TRANSFER", "1", "")
    tale.tell(facts.IncomeRead(until_ms=T0 + 2 * OVERLAP_MS))
    assert tale.accounts.execution(XRP, 5) is not None
    assert tale.accounts.state.bookings
    tale.tell(facts.IncomeRead(until_ms=T0 + 2 * OVERLAP_MS + 1))
    assert tale.accounts.execution(XRP, 5) is None
    assert not tale.accounts.state.bookings
    assert tale.accounts.income_from_ms == T0 + 2 * OVERLAP_MS


def test_the_curve_ignores_money_paid_in_and_keeps_the_largest_fall() -> None:
    tale = Tale()
    for wallet, unrealized in (("1000", "0"), ("1000", "50"), ("990", "0")):
        tale.equity(wallet, unrealized)
        tale.now_ms += 60_000
    tale.income("TRANSFER", "-400", "")
    tale.equity("590")
    now = Now(at_ms=tale.now_ms, wallet_usdt=D(590), unrealized={XRP: D(15)})
    told = equity(tale.accounts, 1, now)
    assert (told["equity_usd"], told["change_usd"]) == ("605", "5")
    assert told["drawdown"] == {
        "usd": "60", "pct": "9.23", "peak_at": "2026-02-06T13:31:00.000Z",
        "trough_at": "2026-02-06T13:32:00.000Z",
    }  # fmt: skip
    assert [row["equity_usd"] for row in told["points"]] == ["600", "650", "590", "590", "605"]
    later = equity(tale.accounts, 1, Now(at_ms=T0 + 30 * 24 * HOUR, wallet_usdt=D(590),
                                         unrealized={}))  # fmt: skip
    assert [row["equity_usd"] for row in later["points"]] == ["590", "590"]


def test_nothing_known_is_no_fault() -> None:
    tale = Tale()
    now = Now(at_ms=T0, wallet_usdt=D(5), unrealized={})
    assert equity(tale.accounts, 7, now)["drawdown"]["usd"] == "0"
    assert tale.pnl()["wallet"]["since"] is None
    assert closed_trades(tale.accounts, 5) == []


# -- whatever comes ---------------------------------------------------------------

CENTS = st.integers(-(10**9), 10**9).map(lambda n: D(n) / 10**8)
SYMBOLS = st.sampled_from([XRP, BTC])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), SYMBOLS, CENTS, st.just(0)),
        st.tuples(st.just("exit"), SYMBOLS, CENTS, st.just(0)),
        st.tuples(st.just("close"), SYMBOLS, CENTS, st.just(0)),
        st.tuples(st.just("FUNDING_FEE"), SYMBOLS, CENTS, st.integers(0, 3)),
        st.tuples(st.just("TRANSFER"), SYMBOLS, CENTS, st.integers(0, 3)),
        st.tuples(st.just("COMMISSION"), SYMBOLS, CENTS, st.integers(1, 8)),
        st.tuples(st.just("wait"), SYMBOLS, CENTS, st.integers(1, 30)),
        st.tuples(st.just("read"), SYMBOLS, CENTS, st.just(0)),
    ),
    max_size=40,
)


def play(tale: Tale, steps: list[Any]) -> Decimal:
    """Carry the steps out; what the wallet moves by, counted beside the accounts."""
    moved, names, foreign = ZERO, dict[str, str](), dict[tuple[str, int], Decimal]()
    for number, (step, symbol, amount, n) in enumerate(steps):
        if step in ("enter", "exit"):
            if step == "enter" or symbol not in names:
                name = names[symbol] = tale.enter(symbol)
            else:
                name = tale.intend(Purpose.CLOSE, "c", symbol)
            fact = tale.fill(name, "1", "2", symbol, fee=abs(amount), realized=amount)
            moved += amount - abs(amount)
            # What was booked as a stranger's execution was this one.
            moved -= foreign.pop((symbol, fact.trade_id), ZERO)
        elif step == "close":
            tale.closed(symbol)
        elif step == "wait":
            tale.now_ms += n * HOUR
        elif step == "read":
            tale.tell(facts.IncomeRead(until_ms=tale.now_ms))
        else:
            trade_id = n if step == "COMMISSION" else 0
            known = tale.accounts.execution(symbol, trade_id) is not None
            tale.income(step, str(amount), symbol, tran_id=number, trade_id=trade_id)
            if not known:
                moved += amount
                if trade_id:
                    key = (symbol, trade_id)
                    foreign[key] = foreign.get(key, ZERO) + amount
    return moved


@given(STEPS)
def test_all_sums_together_are_what_the_wallet_moved_by(steps: list[Any]) -> None:
    tale = Tale()
    tale.equity("1000")
    moved = play(tale, steps)
    assert tale.total.moved == tale.accounts.state.explained == moved
    state = tale.accounts.state
    trades = [*state.closed, *state.open.values()]
    assert sum((t.sums.result for t in trades), ZERO) == tale.total.result
    assert tale.total.trades == len(state.closed)
    for by in ("day", "trigger", "symbol", "feed"):
        rows = tale.pnl("all", by)["rows"]
        assert sum((D(row["result_usd"]) for row in rows), ZERO) == tale.total.result


@given(STEPS, st.integers(0, 120))
def test_a_checkpoint_anywhere_changes_nothing(steps: list[Any], cut: int) -> None:
    tale = Tale()
    tale.equity("1000")
    play(tale, steps)
    before, after = Accounts(), Accounts()
    for record in tale.records[:cut]:
        before.read(record)
    checkpoint = facts.Checkpoint(book=Raw(b"{}"), keys=Raw(b"{}"), accounts=Raw(before.snapshot()))
    line = encode_line(
        Record(seq=1, ts=T0 * 10**6, run=1, kind="Checkpoint", cause=0, body=checkpoint)
    )
    after.read(decode_line(line.rstrip(b"\n")))
    for record in tale.records[cut:]:
        after.read(record)
    assert after.sums == tale.accounts.sums
    assert after.snapshot() == tale.accounts.snapshot()


def test_a_checkpoint_of_an_older_version_begins_anew() -> None:
    accounts = Accounts()
    line = Record(seq=1, ts=T0 * 10**6, run=1, kind="Checkpoint", cause=0,
                  body=facts.Checkpoint(book=Raw(b"{}"), keys=Raw(b"{}")))  # fmt: skip
    accounts.read(decode_line(encode_line(line).rstrip(b"\n")))
    assert accounts.state.closed == []
