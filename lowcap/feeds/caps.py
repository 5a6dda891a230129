"""Market capitalisations from CoinGecko: asked page by page for ever, kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import trio
from msgspec import Struct

from lowcap.core.caps import CapTable
from lowcap.core.clock import Clock, iso_ms, now_ms
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.feeds.caps_rows import (
    PAGE_COINS_MAX,
    Coin,
    from_bytes,
    read_page,
    table_of,
    to_bytes,
    without_old,
)
from lowcap.feeds.keys import read_credential
from lowcap.net.http import HttpPort, HttpReply, retry_after_s
from lowcap.settings import Caps

TIMEOUT_S = 15.0
RETRY_S, RETRY_LONGEST_S = 15.0, 900.0
LIMITED_S, LIMITED_LONGEST_S = 60.0, 3_600.0
CREDENTIAL = "coingecko"
CACHE_BYTES_MAX = 16_777_216
# The server's own numbers for a key that does not fit (docs/feeds.md).
_KEY_FAULTS = {
    1020: "its shield refuses this address",
    10002: "the key is missing or wrong",
    10005: "the key's plan does not include this",
    10010: "a paid key belongs to https://pro-api.coingecko.com/api/v3",
    10011: "a demo key belongs to https://api.coingecko.com/api/v3",
}


class CapStatus(Struct):
    """What an operator asks about capitalisations. Times are wall milliseconds, 0 for never.

    ``state`` is ``starting`` (nothing read yet), ``cached`` (read from disk
    only), ``up``, ``failing`` (the newest call failed) or ``stale`` (the first
    page has been missed twice). ``pages`` says when each was last read,
    ``coins`` how many tradable ones have a capitalisation. ``why`` explains
    the last failure, ``cache_why`` what is wrong with the file.
    """

    state: str = "starting"
    since_ms: int = 0
    last_ms: int = 0
    pages: dict[int, int] = {}
    calls: int = 0
    faults: int = 0
    coins: int = 0
    why: str = ""
    cache_why: str = ""


class _Page:
    """When a page is to be asked for next, in loop seconds, and how often it has failed."""

    def __init__(self, number: int, due_s: float) -> None:
        self.number = number
        self.due_s = due_s
        self.failures = 0
        self.answered = False


class CapSession:
    """Keeps the table of capitalisations young.

    ``tickers`` are those with a contract at this moment, ``curated`` the
    CoinGecko ids of tickers that are ambiguous. ``on_table`` hears every new
    table, ``on_status`` every change of state.
    """

    def __init__(
        self,
        caps: Caps,
        http: HttpPort,
        clock: Clock,
        environ: Mapping[str, str],
        cache: Path,
        *,
        tickers: Callable[[], Iterable[str]],
        curated: Mapping[str, str],
        on_table: Callable[[CapTable], None],
        on_status: Callable[[CapStatus], None],
    ) -> None:
        self.status = CapStatus(since_ms=now_ms(clock))
        self.table = CapTable()
        self._caps = caps
        self._http = http
        self._clock = clock
        self._environ = environ
        self._cache = cache
        self._tickers = tickers
        self._curated = curated
        self._on_table = on_table
        self._on_status = on_status
        self._coins: dict[str, Coin] = {}
        self._pages: list[_Page] = []
        self._free_s = float("-inf")
        self._limited = 0
        self._woken = trio.Event()

    def refresh(self) -> None:
        """Ask for the first page next, as soon as the limit on calls allows."""
        for page in self._pages[:1]:
            page.due_s, page.failures = float("-inf"), 0
        self._woken.set()

    def rebuild(self) -> None:
        """Make the table anew from what has been read: the list of contracts has changed."""
        loaded_ms = self.status.pages.get(1, 0)
        if not loaded_ms:
            return  # without the largest coins there is no table
        tickers = frozenset(self._tickers())
        self.table = table_of(self._coins, tickers, self._curated, loaded_ms)
        self.status.coins = len(self.table.usd)
        self._on_table(self.table)

    async def run(self) -> None:
        """Ask for pages as they fall due, until cancelled."""
        self._restore()
        self._pages = self._plan()
        while True:
            page = min(self._pages, key=lambda page: (page.due_s, page.number))
            wait_s = max(page.due_s, self._free_s) - trio.current_time()
            if wait_s <= 0:
                await self._ask(page)
                continue
            with trio.move_on_after(min(wait_s, self._stale_in_s())):
                await self._woken.wait()
            self._woken = trio.Event()
            self._judge()

    # -- when -----------------------------------------------------------------

    def _plan(self) -> list[_Page]:
        """Every page at its next turn; what was read before the start need not be read again."""
        now_s, at_ms, pages = trio.current_time(), now_ms(self._clock), []
        for number in range(1, self._caps.pages + 1):
            every_s = self._every_s(number)
            age_s = (at_ms - self.status.pages.get(number, 0)) / 1000
            page = _Page(number, now_s + (every_s - age_s if 0 <= age_s < every_s else 0.0))
            page.answered = page.due_s > now_s
            pages.append(page)
        return pages

    def _every_s(self, number: int) -> float:
        return float(self._caps.interval_s if number == 1 else self._caps.rest_h * 3_600)

    def _next_s(self, page: _Page) -> float:
        """Seconds to a page's next turn. After the first answers the turns are spread evenly."""
        every_s = self._every_s(page.number)
        if page.number == 1 or page.answered:
            return every_s
        return every_s * (page.number - 1) / (self._caps.pages - 1)

    def _stale_in_s(self) -> float:
        if not self.table.loaded_ms or self.status.state == "stale":
            return float("inf")
        age_ms = self.table.age_ms(now_ms(self._clock))
        return max(0.0, 2 * self._caps.interval_s - age_ms / 1000) + 0.001

    # -- one call ---------------------------------------------------------------

    async def _ask(self, page: _Page) -> None:
        self._free_s = trio.current_time() + 60 / self._caps.calls_per_min_max
        base, number = self._caps.url.rstrip("/"), page.number
        url = (
            f"{base}/coins/markets?vs_currency=usd&order=market_cap_desc"
            f"&per_page={PAGE_COINS_MAX}&page={number}"
        )
        try:
            headers = _headers(self._caps, self._environ)
            self.status.calls += 1
            reply = await self._http.request("GET", url, headers=headers, timeout_s=TIMEOUT_S)
        except (ConnectionLost, NotSent, NoAnswer) as error:
            self._fail(page, error.message)
            return
        if reply.status == 429:
            self._slow_down(page, reply)
            return
        self._limited = 0
        if reply.status != 200:
            self._fail(page, _refusal(reply))
            return
        coins = read_page(reply.body, now_ms(self._clock))
        if isinstance(coins, str):
            self._fail(page, coins)
        elif not coins and number == 1:
            self._fail(page, "no coins")
        else:
            self._take(page, coins)

    def _take(self, page: _Page, coins: dict[str, Coin]) -> None:
        at_ms, status = now_ms(self._clock), self.status
        page.due_s = trio.current_time() + self._next_s(page)
        page.answered, page.failures = True, 0
        self._coins = without_old(self._coins | coins, at_ms, self._caps.rest_h)
        status.pages[page.number] = status.last_ms = at_ms
        self._save()
        self.rebuild()
        if not any(page.failures for page in self._pages):
            status.why = ""
        self._judge()

    def _fail(self, page: _Page, why: str) -> None:
        page.failures += 1
        wait_s = min(RETRY_S * 2.0 ** min(page.failures - 1, 10), RETRY_LONGEST_S)
        page.due_s = trio.current_time() + wait_s
        self._blame(page, why)

    def _slow_down(self, page: _Page, reply: HttpReply) -> None:
        """Too many calls: none at all for as long as the server says."""
        self._limited += 1
        asked_s = retry_after_s(reply.headers, now_ms(self._clock))
        wait_s = asked_s or LIMITED_S * 2.0 ** min(self._limited - 1, 10)
        wait_s = min(wait_s, LIMITED_LONGEST_S)
        self._free_s = max(self._free_s, trio.current_time() + wait_s)
        page.failures += 1
        self._blame(page, f"HTTP 429: too many calls; none for {wait_s:.0f} s")

    def _blame(self, page: _Page, why: str) -> None:
        self.status.faults += 1
        self.status.why = f"page {page.number}: {why}"
        self._judge()

    def _judge(self) -> None:
        if self.table.is_stale(now_ms(self._clock), self._caps.interval_s):
            self._change("stale")
        elif any(page.failures for page in self._pages):
            self._change("failing")
        elif self.status.last_ms:
            self._change("up")

    def _change(self, state: str) -> None:
        if self.status.state != state:
            self.status.state, self.status.since_ms = state, now_ms(self._clock)
            self._on_status(self.status)

    # -- the file -----------------------------------------------------------------

    def _restore(self) -> None:
        try:
            if self._cache.stat().st_size > CACHE_BYTES_MAX:
                saved: tuple[dict[str, Coin], dict[int, int]] | str = "too large"
            else:
                saved = from_bytes(self._cache.read_bytes())
        except FileNotFoundError:
            return
        except OSError as error:
            saved = error.strerror or type(error).__name__
        if isinstance(saved, str):
            self.status.cache_why = f"{self._cache}: {saved}; ignored, and written anew"
            return
        self._coins, self.status.pages = saved
        self.rebuild()
        if self.table.loaded_ms:
            self.status.why = f"read from disk, of {iso_ms(self.table.loaded_ms)}"
            self._change("cached")
            self._judge()

    def _save(self) -> None:
        """Replace the file in one step. Not forced to the disk: losing it costs a few calls."""
        part = self._cache.with_name(self._cache.name + ".part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            self._cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(to_bytes(self._coins, self.status.pages))
            part.replace(self._cache)
        except OSError as error:
            self.status.cache_why = f"{self._cache}: {error.strerror}; not written"
        else:
            self.status.cache_why = ""


def _refusal(reply: HttpReply) -> str:
    """Why the server said no. Only its number is shown: its words may repeat the key."""
    try:
        body = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"HTTP {reply.status}"
    for holder in (body, body.get("status") if isinstance(body, dict) else None):
        code = holder.get("error_code") if isinstance(holder, dict) else None
        if isinstance(code, int):
            known = _KEY_FAULTS.get(code)
            return f"HTTP {reply.status}, error {code}" + (f": {known}" if known else "")
    return f"HTTP {reply.status}"


def _headers(caps: Caps, environ: Mapping[str, str]) -> dict[str, str]:
    headers = {"accept": "application/json", "user-agent": "lowcap"}
    key = read_credential(CREDENTIAL, caps.key_file, caps.key_env, environ)
    if key:
        paid = (urlsplit(caps.url).hostname or "").startswith("pro-")
        headers["x-cg-pro-api-key" if paid else "x-cg-demo-api-key"] = key
    return headers
