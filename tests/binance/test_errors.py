"""Every code of the venue's reference has a remedy, and the remedy that its row asks for."""

from __future__ import annotations

import pytest

from lowcap.binance.errors import CODES, Remedy, meaning_of
from lowcap.binance.outcome import Verdict, refused
from lowcap.binance.rest import VenueRefused

# The reference's table, row by row: (codes, what it says to do).
REFERENCE: list[tuple[tuple[int, ...], Remedy]] = [
    ((-1000, -1006, -1007), Remedy.UNKNOWN),
    # Told as "not processed", but a placement that met it is asked for all the same.
    ((-1001,), Remedy.UNKNOWN),
    ((-1002, -1011, -1022, -1099, -2014, -2015, -2017, -4056, -4057), Remedy.HALT),
    ((-1003, -1015), Remedy.RETRY_READ),
    ((-1008,), Remedy.RETRY_READ),
    ((-1016, -4531), Remedy.RETRY_READ),
    ((-1020, *range(-1106, -1099), *range(-1120, -1113), -1128, -1130, -1136), Remedy.REJECT),
    ((-1021, -5028), Remedy.RETRY_READ),
    ((-1109, -4109), Remedy.HALT),
    ((-1111,), Remedy.REJECT),
    ((-1121, -1122, -4140, -4141, -5024), Remedy.REDUCE),
    ((-1125,), Remedy.RETRY_READ),
    ((-2010,), Remedy.REJECT),
    ((-2011, -2013), Remedy.RETRY_READ),
    ((-2012, -4032, -4082, -4083), Remedy.RETRY_READ),
    ((-2018, -2019, -4050, -4051), Remedy.REDUCE),
    ((-2020,), Remedy.REJECT),
    ((-2021, -4142), Remedy.REJECT),
    ((-2022, -4118), Remedy.RETRY_READ),
    ((-2023,), Remedy.HALT),
    ((-2024, -2026), Remedy.REJECT),
    ((-2025, -4045), Remedy.REDUCE),
    ((-2027, -2028), Remedy.REDUCE),
    ((-4001, -4002, -4013, -4014, -4006, -4007), Remedy.REJECT),
    ((-4003, -4004, -4005, -4023), Remedy.REJECT),
    ((-4015,), Remedy.REJECT),
    ((-4116,), Remedy.UNKNOWN),
    ((-4016, -4024, -4131, -4183, -4184, -4210, -4211), Remedy.REJECT),
    ((-4028, -4161, *range(-4209, -4201), -4403), Remedy.REJECT),
    ((-4044,), Remedy.REJECT),
    ((-4046, -4059, -4171), Remedy.RETRY_READ),
    ((-4047, -4048, -4067, -4068), Remedy.RETRY_READ),
    ((-4055, -4049, -4054), Remedy.REJECT),
    ((-4060, -4061), Remedy.HALT),
    ((-4062, -4137, -4138, -4139, -4135), Remedy.REJECT),
    ((-4087, -4088, -4189, -4192), Remedy.REDUCE),
    ((-4105, -4106, -4107), Remedy.REDUCE),
    ((-4117,), Remedy.RETRY_READ),
    ((-4120,), Remedy.REJECT),
    ((-4130, -4509, -4129), Remedy.RETRY_READ),
    ((-4164, -5029), Remedy.REJECT),
    ((-4165, -4166, -1127), Remedy.RETRY_READ),
    ((*range(-4170, -4166), -4172), Remedy.HALT),
    ((-4400, -4401, -4402), Remedy.REDUCE),
    ((-5021, -5022, -5041), Remedy.REJECT),
    ((-5025, -5026, -5027, -5043, -5047), Remedy.RETRY_READ),
    (tuple(range(-5040, -5036)), Remedy.REJECT),
]


@pytest.mark.parametrize(("codes", "remedy"), REFERENCE)
def test_each_code_has_the_remedy_of_its_row(codes: tuple[int, ...], remedy: Remedy) -> None:
    for code in codes:
        assert code in CODES, code
        assert CODES[code].remedy is remedy, code
        assert CODES[code].advice


def test_the_table_holds_the_reference_and_the_answer_to_an_invalid_path() -> None:
    told = [code for codes, _ in REFERENCE for code in codes]
    assert len(told) == len(set(told))
    assert set(CODES) == {*told, -5000}


def test_a_code_nobody_has_described_is_a_refusal_and_none_is_unknown() -> None:
    assert meaning_of(-9999).remedy is Remedy.REJECT
    assert meaning_of(0).remedy is Remedy.UNKNOWN


@pytest.mark.parametrize("code", sorted(CODES))
def test_an_outcome_and_a_refused_read_say_the_same(code: int) -> None:
    outcome, error = refused(400, code, "x"), VenueRefused(code, "x", 400)
    assert outcome.remedy is error.remedy is CODES[code].remedy
    assert error.hint == CODES[code].advice
    assert (outcome.verdict is Verdict.UNKNOWN) == (CODES[code].remedy is Remedy.UNKNOWN)
