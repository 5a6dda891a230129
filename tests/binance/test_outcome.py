"""What an answer means for an order: certain yes, certain no, or unknown (docs/venue.md §8, §9)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.outcome import Outcome, Verdict, refused
from lowcap.binance.socket import algo_outcome, outcome_of
from lowcap.binance.wire import AlgoView, ApiError, ApiReply

REJECTED, UNKNOWN, ACCEPTED = Verdict.REJECTED, Verdict.UNKNOWN, Verdict.ACCEPTED

# Every definite refusal of the code table that can answer a placement.
DEFINITE = [
    *(-1002, -1003, -1008, -1011, -1015, -1016, -1020, -1021, -1022, -1099, -1100, -1102, -1106),
    *(-1109, -1111, -1114, -1115, -1116, -1117, -1121, -1122, -1125, -1128, -1130, -1136),
    *(-2010, -2014, -2015, -2017, -2018, -2019, -2020, -2021, -2022, -2023, -2024, -2025, -2026),
    *(-2027, -2028, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4015, -4016),
    *(-4023, -4024, -4028, -4045, -4050, -4051, -4056, -4060, -4061, -4087, -4088, -4105, -4109),
    *(-4118, -4120, -4130, -4131, -4137, -4140, -4141, -4142, -4164, -4183, -4189, -4192, -4210),
    *(-4400, -4401, -4402, -4509, -4531, -5021, -5022, -5024, -5028, -5037, -5041),
]


@pytest.mark.parametrize("code", DEFINITE)
def test_definite_codes_are_certain_refusals(code: int) -> None:
    outcome = refused(400, code, "text varies")
    assert (outcome.verdict, outcome.code, outcome.reason) == (REJECTED, code, "text varies")


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -4116, 0])
@pytest.mark.parametrize("status", [400, 409, 500])
def test_codes_that_leave_it_open(status: int, code: int) -> None:
    assert refused(status, code, "x").verdict is UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "msg", "verdict"),
    [
        (401, -2015, "Invalid API-key", REJECTED),
        (403, 0, "HTTP 403", UNKNOWN),
        (404, -5000, "Path is invalid", REJECTED),
        (408, -1007, "Timeout", UNKNOWN),
        (408, -2019, "Timeout", UNKNOWN),
        (418, -1003, "banned until 1795300000000", REJECTED),
        (429, -1015, "Too many new orders", REJECTED),
        (500, -2019, "x", UNKNOWN),
        (502, 0, "HTTP 502", UNKNOWN),
        (503, 0, "HTTP 503", UNKNOWN),
        (503, 0, "Service Unavailable.", REJECTED),
        (503, -1008, "Request throttled by system-level protection.", REJECTED),
        (503, -1000, "Unknown error, please check your request or try again later.", UNKNOWN),
        (503, -1001, "Internal error; unable to process your request.", UNKNOWN),
        (504, -1007, "x", UNKNOWN),
        (0, -2019, "no status at all", UNKNOWN),
        (200, -2019, "an error in a success", UNKNOWN),
        (302, -2019, "elsewhere", UNKNOWN),
    ],
)
def test_status_and_wording(status: int, code: int, msg: str, verdict: Verdict) -> None:
    assert refused(status, code, msg).verdict is verdict


@given(st.integers(-10, 1_000), st.integers(), st.text(max_size=40))
def test_a_refusal_is_certain_only_when_everything_says_so(
    status: int, code: int, msg: str
) -> None:
    outcome = refused(status, code, msg)
    assert outcome.verdict in (REJECTED, UNKNOWN)
    if outcome.verdict is REJECTED and status != 503:
        assert 400 <= status < 500
        assert status != 408
        assert code not in (0, -1000, -1001, -1006, -1007, -4116)


ORDER = {
    "orderId": 8389766010000000001,
    "symbol": "XRPUSDT",
    "status": "FILLED",
    "clientOrderId": "lcd-1-7-e",
    "executedQty": "10",
}
ALGO = {
    "algoId": 2000000100000001,
    "clientAlgoId": "lcd-1-8-s",
    "symbol": "XRPUSDT",
    "algoStatus": "NEW",
}


def answer(result: object, *, algo: bool = False) -> Outcome:
    raw = msgspec.Raw(result if isinstance(result, bytes) else msgspec.json.encode(result))
    return outcome_of(ApiReply(id=1, status=200, result=raw), algo=algo)


def test_an_accepted_order_is_read_whatever_else_it_says() -> None:
    outcome = answer(ORDER | {"newField": {"a": [1]}, "updateTime": 7, "avgPrice": None})
    assert outcome == Outcome(
        verdict=ACCEPTED,
        status="FILLED",
        order_id=8389766010000000001,
        executed_qty="10",
        venue_ms=7,
    )
    assert answer(ALGO, algo=True).verdict is ACCEPTED


ODD: list[tuple[dict[str, Any], bool]] = [
    *(({"executedQty": text}, False) for text in ("NaN", "1e5", "", "-", "Infinity", "²", 5, None)),
    ({"executedQty": "-1"}, False),
    *(({"orderId": value}, False) for value in ("x", None, 1.5, [])),
    ({"status": None}, False),
    ({"status": 7}, False),
    ({"symbol": None}, False),
    ({"updateTime": "late"}, False),
    ({"algoId": "x"}, True),
    ({"algoStatus": None}, True),
]


@pytest.mark.parametrize(("change", "algo"), ODD)
def test_an_answer_that_cannot_be_read_is_unknown(change: dict[str, Any], algo: bool) -> None:
    assert answer((ALGO if algo else ORDER) | change, algo=algo).verdict is UNKNOWN


@pytest.mark.parametrize(
    "result",
    [b"", b"null", b"[]", b"{}", b"5", b'"FILLED"', b'{"s":"\xff"}', b"[" * 100_000,
     b'{"orderId":1,"symbol":"\xff","status":"NEW","clientOrderId":"x"}',
     b'{"orderId":%s,"symbol":"X","status":"NEW","clientOrderId":"x"}' % (b"9" * 5_000)],
)  # fmt: skip
def test_any_bytes_for_a_result_are_unknown(result: bytes) -> None:
    assert answer(result).verdict is UNKNOWN
    assert answer(result, algo=True).verdict is UNKNOWN


def test_an_error_beside_a_result_is_an_error() -> None:
    reply = ApiReply(
        id=1,
        status=400,
        result=msgspec.Raw(msgspec.json.encode(ORDER)),
        error=ApiError(code=-2019, msg="Margin is insufficient."),
    )
    assert outcome_of(reply, algo=False).verdict is REJECTED


@pytest.mark.parametrize(
    ("told", "child"),
    [("", 0), ("8389766010000000001", 8389766010000000001), ("²", 0), ("x", 0), ("-1", 0),
     ("٣", 0), ("9" * 5_000, 0), ("1e5", 0)],
)  # fmt: skip
def test_the_number_of_a_triggered_child(told: str, child: int) -> None:
    view = AlgoView(
        algoId=1, clientAlgoId="a", symbol="X", algoStatus="FINISHED", actualOrderId=told
    )
    assert algo_outcome(view).child_id == child
