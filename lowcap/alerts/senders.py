"""From a sink's settings to a way to send: keys looked up, the service's request and verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lowcap.alerts.alert import Alert
from lowcap.alerts.hook import run_hook
from lowcap.alerts.services import (
    AGAIN,
    Outgoing,
    Verdict,
    judge_pushover,
    judge_telegram,
    judge_webhook,
    payload_of,
    pushover_request,
    telegram_gap_s,
    telegram_request,
    webhook_request,
)
from lowcap.alerts.sink import Send
from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.core.plain import plain
from lowcap.feeds.keys import hidden, read_credential
from lowcap.net.http import HttpPort, HttpReply
from lowcap.settings import NotifySink

TIMEOUT_S = 10.0
Judge = Callable[[HttpReply, int], Verdict]
Compose = Callable[[Alert, int], Outgoing]


def gap_s(sink: NotifySink) -> float:
    """Seconds to leave between two messages of a sink."""
    return telegram_gap_s(sink.chat) if sink.kind == "telegram" else 0.0


def sender_for(
    name: str,
    sink: NotifySink,
    mode: str,
    http: HttpPort,
    clock: Clock,
    environ: Mapping[str, str],
) -> Send:
    """How the sink ``name`` sends one alert.

    Raises:
        ConnectionLost: a key is missing or cannot be used.
    """
    if sink.kind == "exec":

        async def send(alert: Alert) -> Verdict:
            return await run_hook(sink.command, payload_of(alert, mode), environ)

        return send
    credential = f"notify-{name}-token"
    token = read_credential(credential, sink.key_file, sink.key_env, environ)
    if sink.kind == "webhook":

        def compose(alert: Alert, at_ms: int) -> Outgoing:
            return webhook_request(alert, mode, sink.url, token, at_ms)

        return _over_http(http, clock, compose, judge_webhook, (token,))
    if not token:
        where = sink.key_env or f"notify.sink.{name}.key_file"
        raise ConnectionLost(f"no token: give the credential {credential}, or set {where}")
    if sink.kind == "telegram":
        return _over_http(
            http,
            clock,
            lambda alert, _: telegram_request(alert, mode, sink.url, token, sink.chat),
            judge_telegram,
            (token,),
        )
    user = read_credential(f"notify-{name}-user", sink.user_file, sink.user_env, environ)
    if not user:
        where = sink.user_env or f"notify.sink.{name}.user_file"
        raise ConnectionLost(f"no user key: give the credential notify-{name}-user, or set {where}")
    return _over_http(
        http,
        clock,
        lambda alert, _: pushover_request(alert, mode, sink.url, token, user),
        judge_pushover,
        (token, user),
    )


def _over_http(
    http: HttpPort, clock: Clock, compose: Compose, judge: Judge, keys: tuple[str, ...]
) -> Send:
    async def send(alert: Alert) -> Verdict:
        outgoing = compose(alert, now_ms(clock))
        try:
            reply = await http.request(
                "POST",
                outgoing.url,
                headers=outgoing.headers,
                content=outgoing.content,
                timeout_s=TIMEOUT_S,
            )
            verdict = judge(reply, now_ms(clock))
        except (NotSent, NoAnswer) as error:
            verdict = Verdict(AGAIN, error.message)
        why = verdict.why
        for key in keys:  # it stands in Telegram's addresses, and a server may quote it back
            why = hidden(why, key)
        return Verdict(verdict.outcome, plain(why), verdict.wait_s, verdict.left, verdict.limited)

    return send
