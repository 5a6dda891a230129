"""The venue's error codes in one table: what each means for whoever asked (docs/venue.md §9).

Texts vary and codes count, so nothing else in the client compares a code with
a number of its own.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Remedy(StrEnum):
    """What to do about an error.

    ``RETRY_READ``: nothing was executed; read again what has changed (clock,
    position, filters, book, limits) and then decide anew. ``REDUCE``: too much
    for this account or symbol: no new exposure there, exits go on. ``REJECT``:
    a definite no to this request. ``UNKNOWN``: it may have been executed; ask,
    never send it again. ``HALT``: no request can succeed until a person acts.
    """

    RETRY_READ = "retry-read"
    REDUCE = "reduce"
    REJECT = "reject"
    UNKNOWN = "unknown"
    HALT = "halt"


class Meaning(Struct, frozen=True):
    """A code's remedy, and in words what is to be done."""

    remedy: Remedy
    advice: str


_READ, _LESS, _NO = Remedy.RETRY_READ, Remedy.REDUCE, Remedy.REJECT
_GROUPS: tuple[tuple[Remedy, str, tuple[int, ...]], ...] = (
    (Remedy.UNKNOWN, "the outcome is unknown: query it", (-1000, -1001, -1006, -1007)),
    (Remedy.UNKNOWN, "the first order of this id lives: query it", (-4116,)),
    (
        Remedy.HALT,
        "check key, permissions, address and signature",
        (-1002, -1011, -1022, -1099, -2014, -2015, -2017, -4056, -4057),
    ),
    (Remedy.HALT, "the account is invalid or inactive", (-1109, -4109)),
    (Remedy.HALT, "the account is being liquidated", (-2023,)),
    (Remedy.HALT, "switch the position mode to one-way", (-4060, -4061)),
    (
        Remedy.HALT,
        "switch the asset mode to single-asset",
        (-4167, -4168, -4169, -4170, -4172),
    ),
    (_READ, "wait until the limit's window or the ban is over", (-1003, -1015)),
    (_READ, "the venue is overloaded: wait, only reduce", (-1008,)),
    (_READ, "the venue is in maintenance: wait", (-1016, -4531)),
    (_READ, "outside the receive window: measure the clock", (-1021, -5028)),
    (_READ, "the listen key is gone: a new key and a new connection", (-1125,)),
    (_READ, "no such order: read it and its trades again", (-2011, -2013)),
    (_READ, "part of a batch failed: one by one", (-2012, -4032, -4082, -4083)),
    (_READ, "read the position, cancel its rivals, then close", (-2022, -4118)),
    (_READ, "the stop is triggering: wait for its event", (-4117,)),
    (_READ, "already so", (-4046, -4059, -4171)),
    (_READ, "held fast by orders or a position: later", (-4047, -4048, -4067, -4068)),
    (_READ, "the change is pending or none: read the order", (-5025, -5026, -5027, -5043, -5047)),
    (_READ, "read what rests of this position", (-4130, -4129, -4509)),
    (_READ, "ask for a shorter time", (-4165, -4166, -1127)),
    (_LESS, "the symbol is not trading", (-1121, -1122, -4140, -4141, -5024)),
    (_LESS, "balance or margin too small", (-2018, -2019, -4050, -4051)),
    (_LESS, "too large for the leverage", (-2027, -2028)),
    (_LESS, "cancel what is stale first", (-2025, -4045)),
    (_LESS, "this account may not open positions", (-4087, -4088, -4189, -4192)),
    (_LESS, "this symbol may only be reduced", (-4105, -4106, -4107)),
    (_LESS, "only reducing is allowed for now", (-4400, -4401, -4402)),
    (
        _NO,
        "a malformed request: a fault of ours",
        (
            *(-1020, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1114, -1115, -1116),
            *(-1117, -1118, -1119, -1120, -1128, -1130, -1136, -4044, -5000),
        ),
    ),
    (_NO, "too many decimals: read the filters again", (-1111,)),
    (_NO, "refused: its text says why", (-2010, -2020, -2024, -2026)),
    (_NO, "would trigger at once: close at the market instead", (-2021, -4142)),
    (
        _NO,
        "outside the price filter: read the filters again",
        (-4001, -4002, -4006, -4007, -4013, -4014),
    ),
    (_NO, "outside the quantity filter: read the filters again", (-4003, -4004, -4005, -4023)),
    (_NO, "the own id is malformed: a fault of ours", (-4015,)),
    (
        _NO,
        "outside the venue's price band: reprice or wait",
        (-4016, -4024, -4131, -4183, -4184, -4210, -4211),
    ),
    (
        _NO,
        "the leverage is not possible: the old one stays",
        (*(-4028, -4161, -4202, -4203, -4204, -4205, -4206, -4207, -4208, -4209, -4403),),
    ),
    (_NO, "isolated margin cannot be changed so", (-4049, -4054, -4055)),
    (
        _NO,
        "parameters exclude each other: a fault of ours",
        (-4062, -4135, -4137, -4138, -4139, -5037, -5038, -5039, -5040),
    ),
    (_NO, "conditional orders go to the algo book: a fault of ours", (-4120,)),
    (_NO, "the notional is too small", (-4164, -5029)),
    (_NO, "an ordinary outcome: it could not fill as asked", (-5021, -5022, -5041)),
)

CODES: dict[int, Meaning] = {
    code: Meaning(remedy, advice) for remedy, advice, codes in _GROUPS for code in codes
}
# A definite refusal with a code that nobody has described yet.
_STRANGE = Meaning(_NO, "a code that is not in the table: its text says why")

NO_SUCH_ORDER = frozenset({-2011, -2013})
ALREADY_SO = frozenset({-4046, -4059, -4171})
LIMITED = frozenset({-1003, -1015})
OVERLOADED = -1008
# The key, its rights or its signature: another key may fare better.
BAD_KEY = frozenset({-1002, -1022, -2014, -2015, -2017})
LISTEN_KEY_GONE = -1125
# A close-position stop of this side rests already.
STOP_RESTS = -4130
WOULD_TRIGGER = frozenset({-2021, -4142})
OUTSIDE_WINDOW = frozenset({-1021, -5028})
# The contract is not what we take it for.
OTHER_CONTRACT = frozenset(
    {
        *(-1111, -1121, -1122, -4140, -4141, -5024),
        *(-4001, -4002, -4006, -4007, -4013, -4014, -4003, -4004, -4005, -4023, -4164),
    }
)
# Definite refusals of an entry that another one, smaller or priced anew, may escape.
TOO_LITTLE_MARGIN = frozenset({-2018, -2019, -2027})
OUTSIDE_BAND = frozenset({-4016, -4024, -4131})
# Too large for the leverage that is set: its brackets are not what we take them for.
OTHER_BRACKETS = frozenset({-2027, -2028})


def meaning_of(code: int) -> Meaning:
    """What ``code`` means; one that is not in the table is a plain refusal.

    0 stands for an error without a code: it leaves the outcome open.
    """
    if code == 0:
        return Meaning(Remedy.UNKNOWN, "an error without a code: query it")
    return CODES.get(code, _STRANGE)


def doubted_by(code: int) -> str:
    """What an error shows that we have wrong: "clock", "contracts", "brackets", or nothing."""
    if code in OUTSIDE_WINDOW:
        return "clock"
    if code in OTHER_CONTRACT:
        return "contracts"
    return "brackets" if code in OTHER_BRACKETS else ""
