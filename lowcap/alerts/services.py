"""What each service wants to be sent, and what its answers mean. Pure.

Pushover: a form, at most 1,024 characters and 250 of title; 4xx is final, 429
means that the month's messages are used up, 5xx may be tried again after 5 s.
Telegram: JSON, at most 4,096 characters as UTF-16 counts them, no markup; a
429 says how long to wait. A webhook: JSON, signed where there is a secret.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from lowcap import __version__
from lowcap.alerts.alert import Alert, lines_of, title_of
from lowcap.core.clock import iso_ms
from lowcap.core.plain import plain
from lowcap.net.http import HttpReply, retry_after_s

PUSHOVER_TEXT_MAX, PUSHOVER_TITLE_MAX = 1_024, 250
TELEGRAM_UNITS_MAX = 4_096
PUSHOVER_AGAIN_S = 5.0
# The priority of an emergency is repeated every so often, for so long, until somebody confirms.
EMERGENCY_RETRY_S, EMERGENCY_EXPIRE_S = 60, 1_800
_PUSHOVER_PRIORITY = {"debug": -2, "info": -1, "warning": 0, "error": 1, "critical": 2}
_LOUD = ("warning", "error", "critical")
SENT, AGAIN, REFUSED, DEAD = "sent", "again", "refused", "dead"
USER_AGENT = f"lowcap/{__version__}"


class Verdict(Struct, frozen=True):
    """What became of a message.

    ``sent``; ``again``: to be tried again, after ``wait_s`` where the service
    said so; ``refused``: not this message; ``dead``: no message will ever
    pass. ``left`` is how many messages the service still allows, if it told.
    ``limited``: all is well but that we send too fast, and it says how long to wait.
    """

    outcome: str
    why: str = ""
    wait_s: float | None = None
    left: int | None = None
    limited: bool = False


class Outgoing(Struct, frozen=True):
    """A request that carries one alert."""

    url: str
    headers: dict[str, str]
    content: bytes


# -- Pushover -------------------------------------------------------------------


def pushover_request(alert: Alert, mode: str, url: str, token: str, user: str) -> Outgoing:
    """An alert as Pushover takes it."""
    form = {
        "token": token,
        "user": user,
        "title": title_of(alert, mode)[:PUSHOVER_TITLE_MAX],
        "message": _cut("\n".join(lines_of(alert)), PUSHOVER_TEXT_MAX),
        "priority": str(_PUSHOVER_PRIORITY[alert.level]),
        "timestamp": str(alert.at_ms // 1000),
    }
    if alert.level == "critical":
        form |= {"retry": str(EMERGENCY_RETRY_S), "expire": str(EMERGENCY_EXPIRE_S)}
    headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": USER_AGENT}
    return Outgoing(url, headers, urlencode(form).encode())


def judge_pushover(reply: HttpReply, now_ms: int) -> Verdict:
    """What Pushover's answer means."""
    left = _number(reply.headers.get("x-limit-app-remaining"))
    body = _json(reply.body)
    errors = body.get("errors")
    said = "; ".join(str(each) for each in errors) if isinstance(errors, list) else ""
    why = plain(f"HTTP {reply.status} {said}".strip())
    if reply.status == 200:
        if body.get("status") == 1:
            return Verdict(SENT, left=left)
        return Verdict(REFUSED, why, left=left)
    if reply.status == 429:
        wait_s = retry_after_s(reply.headers, now_ms)
        if wait_s is not None:
            return Verdict(AGAIN, why, wait_s, left, limited=True)
        reset = _number(reply.headers.get("x-limit-app-reset"))
        until = f" until {iso_ms(reset * 1000)[:10]}" if reset else ""
        return Verdict(DEAD, f"this month's messages are used up{until}", left=left)
    if reply.status >= 500:
        return Verdict(AGAIN, why, max(PUSHOVER_AGAIN_S, _asked(reply, now_ms)), left)
    if 300 <= reply.status < 400 or body.get("token") == "invalid" or body.get("user") == "invalid":
        return Verdict(DEAD, why, left=left)
    return Verdict(REFUSED, why, left=left)


# -- Telegram -------------------------------------------------------------------


def telegram_request(alert: Alert, mode: str, url: str, token: str, chat: str) -> Outgoing:
    """An alert as a bot's message: plain text, so that nothing in it is markup."""
    text = "\n".join([title_of(alert, mode), *lines_of(alert)])
    numeric = chat.removeprefix("-").isdecimal()
    message = {
        "chat_id": int(chat) if numeric else chat,
        "text": _cut_units(text, TELEGRAM_UNITS_MAX),
        "disable_notification": alert.level not in _LOUD,
        "link_preview_options": {"is_disabled": True},
    }
    headers = {"content-type": "application/json", "user-agent": USER_AGENT}
    where = f"{url.rstrip('/')}/bot{token}/sendMessage"
    return Outgoing(where, headers, msgspec.json.encode(message))


def telegram_gap_s(chat: str) -> float:
    """Seconds between messages: one a second to a person, twenty a minute to a group."""
    return 3.0 if chat.startswith(("-", "@")) else 1.0


def judge_telegram(reply: HttpReply, now_ms: int) -> Verdict:
    """What the bot interface's answer means."""
    body = _json(reply.body)
    said = plain(str(body.get("description") or ""), 200)
    why = f"HTTP {reply.status} {said}".strip()
    if reply.status == 200 and body.get("ok") is True:
        return Verdict(SENT)
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    if reply.status == 429:
        asked = _number(parameters.get("retry_after"))
        wait_s = float(asked) if asked is not None else retry_after_s(reply.headers, now_ms)
        return Verdict(AGAIN, why, wait_s, limited=wait_s is not None)
    if reply.status >= 500:
        return Verdict(AGAIN, why, _asked(reply, now_ms) or None)
    if (moved := _number(parameters.get("migrate_to_chat_id"))) is not None:
        return Verdict(DEAD, f"{why}; the chat is now {moved}")
    # 401 and 404: no such token; 403: thrown out of the chat.
    gone = reply.status in (401, 403, 404) or 300 <= reply.status < 400
    if gone or "chat not found" in said.lower():
        return Verdict(DEAD, why)
    return Verdict(REFUSED, why)


# -- webhook --------------------------------------------------------------------


def payload_of(alert: Alert, mode: str) -> bytes:
    """An alert as one JSON object, for programs."""
    value = {
        "id": f"{alert.event}-{alert.seq}-{alert.at_ms}-{alert.more}",
        "at": iso_ms(alert.at_ms),
        "mode": mode,
        "event": alert.event,
        "level": alert.level,
        "title": title_of(alert, mode),
        "text": "\n".join(lines_of(alert)),
        "subject": plain(alert.subject),
        "more": alert.more,
        "seq": alert.seq,
        "fields": {key: plain(value) for key, value in alert.fields.items()},
    }
    return msgspec.json.encode(value)


def webhook_request(alert: Alert, mode: str, url: str, secret: str, now_ms: int) -> Outgoing:
    """An alert for a web server; ``x-lowcap-signature`` covers the time, a dot and the body."""
    content = payload_of(alert, mode)
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "x-lowcap-event": alert.event,
    }
    if secret:
        stamp = str(now_ms // 1000)
        headers["x-lowcap-timestamp"] = stamp
        headers["x-lowcap-signature"] = f"sha256={signature(secret, stamp, content)}"
    return Outgoing(url, headers, content)


def signature(secret: str, stamp: str, content: bytes) -> str:
    """The HMAC-SHA256 of ``stamp``, a dot and the body, in hex."""
    signed = stamp.encode() + b"." + content
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def judge_webhook(reply: HttpReply, now_ms: int) -> Verdict:
    """What a web server's status means: 2xx is taken, and 401, 403, 410 are final."""
    why = f"HTTP {reply.status}"
    if 200 <= reply.status < 300:
        return Verdict(SENT)
    if reply.status in (408, 425, 429) or reply.status >= 500:
        wait_s = _asked(reply, now_ms) or None
        limited = reply.status == 429 and wait_s is not None
        return Verdict(AGAIN, why, wait_s, limited=limited)
    if 300 <= reply.status < 400:
        return Verdict(DEAD, f"{why}: redirects are not followed")
    if reply.status in (401, 403, 410):
        return Verdict(DEAD, why)
    return Verdict(REFUSED, why)


# -- what they share ------------------------------------------------------------


def _asked(reply: HttpReply, now_ms: int) -> float:
    return retry_after_s(reply.headers, now_ms) or 0.0


def _json(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:12])
    return None


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _cut_units(text: str, most: int) -> str:
    """``text`` in at most ``most`` UTF-16 code units, no character cut in two."""
    data = text.encode("utf-16-le")
    if len(data) <= most * 2:
        return text
    return data[: (most - 1) * 2].decode("utf-16-le", errors="ignore") + "…"
