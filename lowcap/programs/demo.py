"""``lowcapd demo``: exchange, feeds and daemon on loopback trade the shipped captures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import tomli_w

from lowcap.config import shipped
from lowcap.control.client import CallFailed, Connection, Unreachable
from lowcap.core.clock import iso_ms, machine_time_s
from lowcap.core.errors import LowcapError
from lowcap.paper.feedserver import OVER_HTTP, read_capture
from lowcap.terminal.render import render
from lowcap.terminal.table import Style, terminal_columns, wants_colour

CAPTURE = "captures/payroll-morning.jsonl"
FEEDS = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter")
LEAD_S = 6.0
TAIL_S = 7.0
STEP_WITHIN_S = 20.0
EXIT_UNAVAILABLE = 75
# Kinds worth a line in the story, beside every signal and refusal.
TOLD_LEVELS = frozenset({"info", "warning", "error"})
UNTOLD_KINDS = frozenset({"HoldPlaced", "HoldLifted", "Reconciled", "Recovered", "FeedChanged"})

Json = dict[str, Any]


def demo_program(keep: Path | None) -> int:
    """Tell the story of a few trades; 0 when each was entered, filled and protected."""
    folder = keep or Path(tempfile.mkdtemp(prefix="lowcap-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _stopped_at_the_end() as children:
            return _play(folder, children)
    except Unreachable as error:
        click.echo(f"error: {error.message}", err=True)
        return EXIT_UNAVAILABLE
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _play(folder: Path, children: list[subprocess.Popen[str]]) -> int:
    capture = shipped(CAPTURE)
    lines = read_capture([capture])
    news = [line for line in lines if line.feed]
    shown_ms = news[0].t_ms - round(LEAD_S * 1000)
    as_of = f"{iso_ms(shown_ms)}@{machine_time_s():.6f}"
    click.echo(f"lowcap demo: {len(news)} recorded frames of {shown_day(shown_ms)}, paper money")
    exchange = _start(
        children,
        folder,
        "exchange",
        ["exchange", "--credentials", str(folder / "keys"), "--market", str(capture),
         "--as-of", as_of, "--tick-ms", "250"],
    )  # fmt: skip
    urls = _read_urls(exchange, 4)
    click.echo(f"  exchange    {urls['rest_url']} (Binance USDⓈ-M protocol, simulated)")
    feeds = _start(children, folder, "feedserver", ["feedserver", str(capture), "--as-of", as_of])
    feed_url = _read_urls(feeds, 1)["url"]
    click.echo(f"  feeds       {feed_url.replace('FEED', '{bwe,tokyo,toa_news,phoenix,…}')}")
    config = _write_config(folder, urls, feed_url)
    _start(children, folder, "run", ["run", "--config", str(config), "--as-of", as_of])
    connection = _connect(folder / "control.sock")
    click.echo("  daemon      up; clock, feeds and exchange share one recorded morning\n")
    done_s = time.monotonic() + (news[-1].t_ms - shown_ms) / 1000 + TAIL_S
    _tell_story(connection, done_s)
    return _sum_up(Connection([folder / "control.sock"], 10))


def shown_day(at_ms: int) -> str:
    """The date that the demo plays."""
    return iso_ms(at_ms)[:10]


def _start(
    children: list[subprocess.Popen[str]], folder: Path, name: str, words: list[str]
) -> subprocess.Popen[str]:
    with (folder / f"{name}.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "lowcap", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    children.append(child)
    return child


def _read_urls(child: subprocess.Popen[str], count: int) -> dict[str, str]:
    """The ``name = 'value'`` lines that a server prints once it listens."""
    if child.stdout is None:
        raise AssertionError("started with a pipe")
    found = {}
    for _ in range(count):
        name, _, value = child.stdout.readline().partition(" = ")
        found[name] = value.strip().strip("'")
    if not all(found.values()):
        raise Unreachable(f"{child.args!r} did not start")
    return found


def _write_config(folder: Path, urls: dict[str, str], feed_url: str) -> Path:
    """The shipped configuration, pointed at our own servers."""
    shutil.copy(shipped("config.toml"), folder / "config.toml")
    overlay = folder / "config.d"
    overlay.mkdir(exist_ok=True)
    tree = {
        "state": {"dir": str(folder / "state")},
        "control": {"socket": str(folder / "control.sock")},
        "exchange": urls,
        "feed": {name: _feed_at(feed_url, name) for name in FEEDS},
        "caps": {"url": _address(feed_url, "coingecko")},
    }
    (overlay / "demo.toml").write_text(tomli_w.dumps(tree))
    return folder / "config.toml"


def _feed_at(feed_url: str, name: str) -> dict[str, str]:
    """A feed's settings for our own server, which asks for no key."""
    return {"url": _address(feed_url, name), "auth": "none"}


def _address(feed_url: str, name: str) -> str:
    url = feed_url.replace("FEED", name)
    return url.replace("ws://", "http://") if name in OVER_HTTP else url


def _connect(path: Path) -> Connection:
    """The daemon's control socket, once it answers."""
    give_up_s = time.monotonic() + STEP_WITHIN_S
    while True:
        try:
            return Connection([path], 10)
        except LowcapError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.05)


def _tell_story(connection: Connection, done_s: float) -> None:
    """Print each event as it happens, until the recorded morning is over."""
    columns, style = terminal_columns(), Style(wants_colour("auto", os.environ))

    def show(event: Json) -> None:
        if event["level"] in TOLD_LEVELS and event["kind"] not in UNTOLD_KINDS:
            for line in render("events", [event], style, columns):
                click.echo(line)

    missed: Any = connection.call("events", {"since": 0, "follow": True})
    for event in missed:
        show(event)
    while (left_s := done_s - time.monotonic()) > 0:
        try:
            pushed = connection.next_event(left_s)
        except TimeoutError:
            break
        if pushed is not None:
            show(pushed)
    connection.close()


def _sum_up(connection: Connection) -> int:
    """Positions, result, the fastest trade, and whether everything was protected."""
    columns, style = terminal_columns(), Style(wants_colour("auto", os.environ))
    protected = _check_protection(connection)
    for title, command, params in (
        ("Positions", "positions", {}),
        ("Result", "status", {}),
        ("The fastest trade, explained", "explain", {"fastest": True}),
    ):
        click.echo(f"\n{style(title, 'bold')}")
        try:
            value = connection.call(command, params)
        except CallFailed as error:
            click.echo(f"error: {error.message}", err=True)
            return 1
        for line in render(command, value, style, columns):
            click.echo(line)
    triggers = sorted({trade["trigger"] for trade in protected})
    click.echo(f"\n{len(protected)} trades by {len(triggers)} triggers:")
    for trade in protected:
        click.echo(
            f"  {trade['trigger']:<14} {trade['symbol']:<12} entry filled, "
            f"stop {trade['stop']}, ladder {trade['legs']}"
        )
    good = len(triggers) >= 3 and all(t["stop"] == "confirmed" for t in protected)
    click.echo(
        "\nNext: lowcapd run (dry mode), and in another terminal lowcapctl\n"
        "      lowcapctl status, lowcapctl explain --last, lowcapctl panic"
    )
    return 0 if good else 1


def _check_protection(connection: Connection) -> list[Json]:
    """What each entry that filled got: its stop and its ladder, by what the exchange confirmed."""
    orders: Any = connection.call("orders", {"count": 1000})
    found = []
    for entry in orders:
        if entry["purpose"] != "entry" or float(entry["executed_qty"]) == 0:
            continue
        mine = [o for o in orders if o["symbol"] == entry["symbol"] and o["trace"] > entry["trace"]]
        stop = next((o for o in mine if o["purpose"] == "stop" and o["order_id"]), None)
        legs = [o for o in mine if o["purpose"] == "take-profit" and o["order_id"]]
        explained: Any = connection.call("explain", {"trace": entry["trace"]})
        found.append(
            {
                "trigger": explained["signal"]["trigger"],
                "symbol": entry["symbol"],
                "stop": "confirmed" if stop else "MISSING",
                "legs": f"{len(legs)} legs confirmed",
            }
        )
    return found


@contextmanager
def _stopped_at_the_end() -> Iterator[list[subprocess.Popen[str]]]:
    """Children that are ended, last started first, whatever happens."""
    children: list[subprocess.Popen[str]] = []
    try:
        yield children
    finally:
        for child in reversed(children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
