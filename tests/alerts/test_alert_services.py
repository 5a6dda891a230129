"""Each service's format and limits, and what its answers mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import parse_qs

import pytest
from alert_fakes import reply
from alert_kit import HOSTILE, NOON_MS, alert, is_harmless
from hypothesis import given
from hypothesis import strategies as st

from lowcap.alerts.outbox import Job, Outbox
from lowcap.alerts.services import (
    AGAIN,
    DEAD,
    REFUSED,
    SENT,
    Verdict,
    judge_pushover,
    judge_telegram,
    judge_webhook,
    payload_of,
    pushover_request,
    signature,
    telegram_gap_s,
    telegram_request,
    webhook_request,
)
from lowcap.net.http import HttpReply

LONG = "🚀 한국 words " * 800


def form_of(level: str, text: str = "words") -> dict[str, str]:
    sent = pushover_request(alert("alarm", level, text), "live", "http://x/", "t", "u")
    return {key: values[0] for key, values in parse_qs(sent.content.decode()).items()}


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", "-2"), ("info", "-1"), ("warning", "0"), ("error", "1"), ("critical", "2")],
)
def test_pushover_priorities_and_an_emergency_says_how_long(level: str, priority: str) -> None:
    form = form_of(level)
    assert form["priority"] == priority
    assert ("retry" in form and "expire" in form) is (level == "critical")
    assert form["timestamp"] == str(NOON_MS // 1000)
    assert form["title"] == "LIVE ALARM"
    assert form["message"].splitlines()[0] == "words"


@given(st.text(st.characters(codec=None), max_size=3_000))
def test_no_text_is_too_long_or_unreadable_for_any_service(text: str) -> None:
    long = alert("alarm", "error", text, title=text, quote=text, hint=text)
    form = parse_qs(pushover_request(long, "live", "http://x", "t", "u").content.decode())
    assert len(form["message"][0]) <= 1_024
    assert len(form["title"][0]) <= 250
    message = json.loads(telegram_request(long, "live", "http://x", "t", "5").content)
    assert len(message["text"].encode("utf-16-le")) <= 4_096 * 2
    assert all(is_harmless(line) for line in message["text"].split("\n"))
    assert json.loads(payload_of(long, "live"))["text"].count("\n") == (3 if text else 1)


def test_telegram_cuts_between_characters_as_utf_16_counts_them() -> None:
    many = alert("alarm", "error", "x", quote="🚀" * 2_000, hint="🚀" * 2_000)
    text = json.loads(telegram_request(many, "live", "http://x", "t", "5").content)["text"]
    assert len(text.encode("utf-16-le")) <= 4_096 * 2
    assert "\ufffd" not in text


def test_telegram_gets_plain_text_without_previews_and_chats_of_both_kinds() -> None:
    hostile = alert("signal", "info", "BUY", quote=HOSTILE)
    sent = telegram_request(hostile, "live", "http://x/", "4:k", "-100123")
    assert sent.url == "http://x/bot4:k/sendMessage"
    message = json.loads(sent.content)
    assert message["chat_id"] == -100123
    assert "parse_mode" not in message
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["disable_notification"] is True
    assert len(message["text"].split("\n")) == 4, "title, text, quote, time"
    assert json.loads(telegram_request(hostile, "dry", "u", "t", "@news").content)["chat_id"] == (
        "@news"
    )
    assert (telegram_gap_s("5"), telegram_gap_s("-100"), telegram_gap_s("@c")) == (1.0, 3.0, 3.0)


def test_a_webhook_is_signed_over_time_and_body() -> None:
    sent = webhook_request(alert(fields={"symbol": "X"}), "live", "http://x", "secret", NOON_MS)
    stamp = sent.headers["x-lowcap-timestamp"]
    expected = hmac.new(b"secret", stamp.encode() + b"." + sent.content, hashlib.sha256)
    assert sent.headers["x-lowcap-signature"] == f"sha256={expected.hexdigest()}"
    assert signature("secret", stamp, sent.content + b" ") != expected.hexdigest()
    body = json.loads(sent.content)
    assert body["mode"] == "live"
    assert body["fields"] == {"symbol": "X"}
    bare = webhook_request(alert(), "live", "http://x", "", NOON_MS)
    assert "x-lowcap-signature" not in bare.headers


# -- answers -----------------------------------------------------------------------


def ok(status: int, body: str, **headers: str) -> HttpReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status, named, body.encode())


@pytest.mark.parametrize(
    ("answer", "outcome", "wait_s"),
    [
        (reply(200, {"status": 1}), SENT, None),
        (reply(200, {"status": 0, "errors": ["odd"]}), REFUSED, None),
        (ok(200, "not json"), REFUSED, None),
        (reply(400, {"status": 0, "token": "invalid", "errors": ["bad"]}), DEAD, None),
        (reply(400, {"status": 0, "user": "invalid", "errors": ["bad"]}), DEAD, None),
        (reply(400, {"status": 0, "errors": ["message is too long"]}), REFUSED, None),
        (reply(429, {"status": 0}, x_limit_app_reset="1772323200"), DEAD, None),
        (reply(429, {"status": 0}, retry_after="7"), AGAIN, 7.0),
        (reply(500), AGAIN, 5.0),
        (reply(503, retry_after="30"), AGAIN, 30.0),
        (reply(302, location="http://elsewhere"), DEAD, None),
    ],
)
def test_what_pushover_means(answer: HttpReply, outcome: str, wait_s: float | None) -> None:
    verdict = judge_pushover(answer, NOON_MS)
    assert (verdict.outcome, verdict.wait_s) == (outcome, wait_s)


def test_pushover_says_when_the_month_is_over_and_what_is_left() -> None:
    spent = reply(429, {}, x_limit_app_remaining="0", x_limit_app_reset="1772323200")
    assert judge_pushover(spent, NOON_MS) == Verdict(
        DEAD, "this month's messages are used up until 2026-03-01", left=0
    )


@pytest.mark.parametrize(
    ("answer", "outcome", "wait_s"),
    [
        (reply(200, {"ok": True}), SENT, None),
        (reply(200, {"ok": False}), REFUSED, None),
        (reply(429, {"parameters": {"retry_after": 35}}), AGAIN, 35.0),
        (reply(429, {}, retry_after="9"), AGAIN, 9.0),
        (reply(429, {"parameters": "odd"}), AGAIN, None),
        (reply(401, {"description": "Unauthorized"}), DEAD, None),
        (reply(403, {"description": "Forbidden: bot was blocked by the user"}), DEAD, None),
        (reply(404, {"description": "Not Found"}), DEAD, None),
        (reply(400, {"description": "Bad Request: chat not found"}), DEAD, None),
        (reply(400, {"description": "Bad Request: message is too long"}), REFUSED, None),
        (reply(502), AGAIN, None),
    ],
)
def test_what_telegram_means(answer: HttpReply, outcome: str, wait_s: float | None) -> None:
    verdict = judge_telegram(answer, NOON_MS)
    assert (verdict.outcome, verdict.wait_s) == (outcome, wait_s)
    assert verdict.limited is (wait_s is not None)


def test_a_chat_that_moved_says_where() -> None:
    moved = {"description": "group upgraded", "parameters": {"migrate_to_chat_id": -1009}}
    verdict = judge_telegram(reply(400, moved), NOON_MS)
    assert verdict.outcome == DEAD
    assert verdict.why.endswith("the chat is now -1009")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, SENT), (204, SENT), (301, DEAD), (401, DEAD), (403, DEAD), (410, DEAD), (404, REFUSED),
     (413, REFUSED), (408, AGAIN), (429, AGAIN), (500, AGAIN), (503, AGAIN)],
)  # fmt: skip
def test_what_a_webhooks_status_means(status: int, outcome: str) -> None:
    assert judge_webhook(reply(status), NOON_MS).outcome == outcome


_BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"[]", b"null", b'{"errors": 5}', b'{"parameters": {"retry_after": "x"}}',
                     b'{"description": ["\\u001b[31m"]}', b"[" * 100_000]),
)  # fmt: skip


@given(st.integers(100, 599), _BODIES, st.dictionaries(
    st.sampled_from(["retry-after", "x-limit-app-remaining", "x-limit-app-reset"]),
    st.sampled_from(["", "-1", "99999999999999999999", "x", "Wed, 21 Oct 2015 07:28:00 GMT"]),
))  # fmt: skip
def test_no_answer_whatever_is_a_bug(status: int, body: bytes, headers: dict[str, str]) -> None:
    for judge in (judge_pushover, judge_telegram, judge_webhook):
        verdict = judge(HttpReply(status, headers, body), NOON_MS)
        assert verdict.outcome in (SENT, AGAIN, REFUSED, DEAD)
        assert is_harmless(verdict.why)
        assert verdict.wait_s is None or verdict.wait_s >= 0


# -- the box -----------------------------------------------------------------------


def test_a_full_box_loses_the_least_severe_and_of_those_the_oldest() -> None:
    box = Outbox(3)
    for level, text in (("info", "a"), ("critical", "b"), ("info", "c")):
        assert box.put(Job(alert("alarm", level, text))) is None
    lost = box.put(Job(alert("alarm", "warning", "d")))
    assert lost is not None
    assert lost.alert.text == "a"
    lost = box.put(Job(alert("alarm", "debug", "e")))
    assert lost is not None
    assert lost.alert.text == "e", "less than anything that waits"
    assert [box.take().alert.text for _ in range(3)] == ["b", "d", "c"]
    assert len(box) == 0


_LEVELS = st.sampled_from(["debug", "info", "warning", "error", "critical"])


@given(st.lists(_LEVELS, max_size=60), st.integers(1, 10))
def test_what_is_in_the_box_is_the_severest_that_came(levels: list[str], most: int) -> None:
    box, lost = Outbox(most), []
    for n, level in enumerate(levels):
        job = box.put(Job(alert("alarm", level, str(n))))
        lost += [job.alert.rank] if job is not None else []
    kept = [box.take().alert for _ in range(len(box))]
    assert len(kept) == min(len(levels), most)
    assert len(kept) + len(lost) == len(levels)
    assert [each.rank for each in kept] == sorted((each.rank for each in kept), reverse=True)
    assert not lost or max(lost) <= min(each.rank for each in kept)
