"""Servers on loopback that behave as Pushover, Telegram and a webhook do, faults included."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import trio
from msgspec import Struct

from lowcap.net.http import HttpReply
from lowcap.net.net import Net
from lowcap.net.serve import HttpRequest, HttpStream, serve_stream

KEPT_MAX = 1_000
PUSHOVER_TOKEN, PUSHOVER_USER = "MARKED-app-token", "MARKED-user-key"
BOT_TOKEN, CHAT = "4242:MARKED-bot-token", "-1001234567890"
SECRET = "MARKED-hook-secret"
Json = dict[str, Any]


class Taken(Struct):
    """A message that a service took: its fields, and the request as it came."""

    fields: Json
    request: HttpRequest
    at_s: float

    @property
    def text(self) -> str:
        """What the person reads."""
        return str(self.fields.get("message") or self.fields.get("text"))


class FakeService:
    """One service. ``script`` holds answers for the next requests, before it behaves again.

    An answer is a reply, ``"hang"`` (never answers), or ``"drop"`` (hangs up).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.port = 0
        self.requests = 0
        self.taken: deque[Taken] = deque(maxlen=KEPT_MAX)
        self.script: deque[HttpReply | str] = deque()
        self.always: HttpReply | str | None = None

    @property
    def url(self) -> str:
        """What goes into the settings."""
        path = {"pushover": "/1/messages.json", "telegram": "", "webhook": "/hook"}[self.kind]
        return f"http://127.0.0.1:{self.port}{path}"

    async def run(
        self, net: Net, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            self.port = await nursery.start(net.serve, self._handle, "127.0.0.1", 0)
            task_status.started()

    async def _handle(self, stream: trio.abc.Stream) -> None:
        async def no_upgrade(stream: trio.abc.Stream) -> None:
            await trio.aclose_forcefully(stream)

        await serve_stream(stream, self._answer, no_upgrade)

    async def _answer(self, request: HttpRequest) -> HttpReply | HttpStream | None:
        self.requests += 1
        answer = self.script.popleft() if self.script else self.always
        if answer == "hang":
            await trio.sleep_forever()
        if answer == "drop":
            return None
        if isinstance(answer, HttpReply):
            return answer
        return _SERVICES[self.kind](self, request)

    def take(self, fields: Json, request: HttpRequest) -> None:
        """Remember a message that was fine."""
        self.taken.append(Taken(fields, request, trio.current_time()))


def reply(status: int, body: Json | None = None, **headers: str) -> HttpReply:
    """A reply with a JSON body; ``_`` in a header's name stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status, named, json.dumps(body or {}).encode())


def _pushover(service: FakeService, request: HttpRequest) -> HttpReply:
    form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
    errors, marks = [], {}
    if form.get("token") != PUSHOVER_TOKEN:
        errors, marks = ["application token is invalid"], {"token": "invalid"}
    elif form.get("user") != PUSHOVER_USER:
        errors, marks = ["user identifier is invalid"], {"user": "invalid"}
    elif not form.get("message"):
        errors, marks = ["message cannot be blank"], {"message": "cannot be blank"}
    elif len(form["message"]) > 1_024 or len(form.get("title", "")) > 250:
        errors = ["message or title is too long"]
    elif form.get("priority") == "2" and not {"retry", "expire"} <= form.keys():
        errors = ["expire and retry must be supplied with priority=2"]
    if request.method != "POST" or request.path != "/1/messages.json":
        return reply(404)
    if errors:
        return reply(400, {"status": 0, "errors": errors, **marks})
    service.take(form, request)
    return reply(200, {"status": 1, "request": "r"}, X_Limit_App_Remaining="7496")


def _telegram(service: FakeService, request: HttpRequest) -> HttpReply:
    if request.path != f"/bot{BOT_TOKEN}/sendMessage":
        return reply(404, {"ok": False, "error_code": 404, "description": "Not Found"})
    message = json.loads(request.body)
    text = message.get("text", "")
    fault = ""
    if str(message.get("chat_id")) != CHAT:
        fault = "Bad Request: chat not found"
    elif not text:
        fault = "Bad Request: message text is empty"
    elif len(text.encode("utf-16-le")) > 4_096 * 2:
        fault = "Bad Request: message is too long"
    elif "parse_mode" in message:
        fault = "Bad Request: can't parse entities"
    if fault:
        return reply(400, {"ok": False, "error_code": 400, "description": fault})
    service.take(message, request)
    return reply(200, {"ok": True, "result": {"message_id": service.requests}})


def _webhook(service: FakeService, request: HttpRequest) -> HttpReply:
    service.take(json.loads(request.body), request)
    return reply(200)


_SERVICES: dict[str, Callable[[FakeService, HttpRequest], HttpReply]] = {
    "pushover": _pushover,
    "telegram": _telegram,
    "webhook": _webhook,
}


async def with_services(
    net: Net, main: Callable[[dict[str, FakeService]], Awaitable[None]]
) -> None:
    """Run ``main`` beside one of each."""
    services = {kind: FakeService(kind) for kind in _SERVICES}
    async with trio.open_nursery() as nursery:
        for service in services.values():
            await nursery.start(service.run, net)
        await main(services)
        nursery.cancel_scope.cancel(reason="the test is over")
