"""Feeds, triggers and trials for people: the same values that --json prints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.marks import headline_lines, miss_lines
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

_LAMPS = {"up": "●", "stale": "◑", "down": "○", "off": "○", "fatal": "○"}


def _feeds(rows: list[Json], style: Style, columns: int) -> list[str]:
    shown = [
        {
            "name": f"{_LAMPS.get(row['state'], '◐')} {row['name']}",
            "state": row["state"],
            "age": _age(row["last_frame_age_ms"]),
            "rtt": _ms(row["round_trip_ms"]),
            "latency": _ms(row["latency_ms"]),
            "frames": str(row["frames"]),
            "news": str(row["news"]),
            "faults": str(row["faults"]),
            "connects": str(row["connects"]),
            "why": plain(row["why"], 60),
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("name", "FEED"), ("state", "STATE"), ("age", ">LAST FRAME"), ("frames", ">FRAMES")),
            *(("news", ">NEWS"), ("latency", ">LATE ms"), ("rtt", ">RTT ms")),
            *(("faults", ">FAULTS"), ("connects", ">CONNECTS"), ("why", "WHY")),
        ),
        columns,
    )


def _age(age_ms: int | None) -> str:
    if age_ms is None:
        return "never"
    return f"{age_ms / 1000:.1f} s" if age_ms < 60_000 else str(timedelta(seconds=age_ms // 1000))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _feed(row: Json, style: Style, columns: int) -> list[str]:
    lines = [
        f"{_LAMPS.get(row['state'], '◐')} {row['name']}  {row['state']} since "
        f"{row['since'][11:19]}Z  {plain(row['why'])}".rstrip(),
        f"  last frame {_age(row['last_frame_age_ms'])}, last news {_age(row['last_news_age_ms'])}"
        f"; {row['connects']} connections, {row['frames']} frames, {row['news']} news, "
        f"{row['faults']} faults",
        f"  round trip {_ms(row['round_trip_ms'])} ms, news {_ms(row['latency_ms'])} ms late "
        "(median of the last 200)",
    ]
    if "host" in row:
        held = f", held open {row['hold_open']} New York" if row["hold_open"] else ""
        lines.append(f"  {row['host']} ({row['format']}, auth {row['auth']}{held})")
        lines.append(f"  triggers: {', '.join(row['triggers']) or 'none'}")
    return lines


def frame_lines(row: Json, style: Style, columns: int) -> list[str]:
    """One frame of a feed, its text harmless and wrapped under itself."""
    text = f"{row['at'][11:23]} {row['bytes']:>6} B {plain(row['frame'], 2_000)}"
    return wrap(text, columns, indent=22)


def _frames(value: Any, style: Style, columns: int) -> list[str]:  # noqa: ANN401  # JSON
    return []


def _triggers(rows: list[Json], style: Style, columns: int) -> list[str]:
    shown = [
        {
            "id": f"{'●' if row['on'] else '○'} {row['id']}",
            "on": "on" if row["on"] else "off",
            "side": row["side"],
            "signals": str(row["signals"]),
            "feeds": ", ".join(row["feeds"]),
            "matcher": row["matcher"],
            "tier": row["tier"],
            "why": row["why_off"],
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("id", "TRIGGER"), ("on", ""), ("side", "SIDE"), ("signals", ">SIGNALS")),
            *(("feeds", "FEEDS"), ("matcher", "MATCHER"), ("tier", "TIER"), ("why", "WHY OFF")),
        ),
        columns,
    )


def _trigger(row: Json, style: Style, columns: int) -> list[str]:
    state = "on" if row["on"] else f"off: {row['why_off']}"
    lines = [
        f"{row['id']}  {state}  {row['side']}  {row['tier']} tier, matcher {row['matcher']}",
        f"  feeds {', '.join(row['feeds'])}; at most {row['max_age_s']} s old, then closed for "
        f"{timedelta(seconds=row['cooldown_s'])}; {row['signals']} signals",
    ]
    for key, value in row.get("table", {}).get("match", {}).items():
        if value not in (None, "", [], ()):
            lines += wrap(f"  {key} = {plain(_compact(value), 2_000)}", columns, indent=6)
    return lines


def _compact(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_compact(v)}" for k, v in value.items() if v) + "}"
    if isinstance(value, list):
        return ", ".join(_compact(each) for each in value)
    return str(value)


def _stats(rows: list[Json], style: Style, columns: int) -> list[str]:
    shown = [
        {
            "id": row["id"],
            "signals": str(row["signals"]),
            "trades": str(row["trades"]),
            "refused": str(row["refused"]),
            "near": ", ".join(f"{reason} {count}" for reason, count in row["near_misses"].items()),
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("id", "TRIGGER"), ("signals", ">SIGNALS"), ("trades", ">TRADES")),
            *(("refused", ">REFUSED"), ("near", "NEAR MISSES, BY WHAT FAILED FIRST")),
        ),
        columns,
    )


def _rehearsed(value: Json, style: Style, columns: int) -> list[str]:
    misses = value["misses"]
    lines = [style(f"{value['feed']}, as if it came now; no order was sent", "bold")]
    signal = value["signal"]
    lines += headline_lines(value, [*misses, signal] if signal else misses, columns)
    if signal is not None:
        words = ", ".join(plain(word) for word in signal["matched"])
        lines.append(f"  would fire {signal['trigger']}: {words}; tier {signal['tier']}")
    else:
        detail = f" ({plain(value['detail'])})" if value["detail"] else ""
        lines += wrap(f"  no trade: {plain(value['reason'])}{detail}", columns, indent=4)
    if (kept := value["admitted"]) is not None:
        detail = f" ({plain(kept['detail'])})" if kept.get("detail") else ""
        lines.append(style(f"  but held back: {kept['reason']}{detail}", "warn"))
    for miss in misses:
        lines += miss_lines(miss, style, columns)
    for target in value["targets"]:
        lines += wrap(_target(target), columns, indent=4)
    return lines


def _target(row: Json) -> str:
    wish = f"{float(row['usd']):,.0f} USD by {row['by']}"
    if "refused" in row:
        return (
            f"  {row['side']} {row['symbol']}, {wish}: refused, {row['refused']}, measured "
            f"{plain(row['measured'])}, limit {plain(row['limit'])}"
        )
    return (
        f"  {row['side']} {row['qty']} {row['symbol']} at {row['price']} or better, "
        f"{float(row['notional_usd']):,.0f} USD ({plain(row['sizing'])})"
    )


def _captures(rows: list[Json], style: Style, columns: int) -> list[str]:
    if not rows:
        return ["no captures; lowcapctl captures record starts one"]
    shown = [
        {
            "name": row["name"],
            "for": str(timedelta(seconds=(row["last_ms"] - row["first_ms"]) // 1000)),
            "size": f"{row['bytes'] / 1024:,.1f} KiB",
        }
        for row in rows
    ]
    return table(shown, (("name", "CAPTURE"), ("for", ">LASTS"), ("size", ">SIZE")), columns)


def _recording(value: Json, style: Style, columns: int) -> list[str]:
    feeds = ", ".join(value["feeds"]) or "all feeds"
    state = f"recording {feeds}" if value["recording"] else "not recording"
    why = f" ({plain(value['why'])})" if value["why"] else ""
    return [
        f"{state}{why}",
        f"  {value['frames']} frames, {value['bytes'] / 1024:,.1f} KiB in {value['file'] or '-'}; "
        f"{value['dropped']} dropped, {value['withheld']} withheld",
    ]


def _caps(value: Json, style: Style, columns: int) -> list[str]:
    age = "never read" if value["age_s"] is None else f"{timedelta(seconds=value['age_s'])} old"
    why = f" - {plain(value['why'])}" if value["why"] else ""
    usable = "" if value["usable"] else ", not usable: sizes are sizing.default_usd"
    lines = [f"capitalisations: {value['state']}, {value['coins']} coins, {age}{usable}{why}"]
    if "coin" in value:
        cap = "unknown" if value["cap_usd"] is None else f"{float(value['cap_usd']):,.0f} USD"
        lines.append(f"  {value['coin']} ({value['symbol'] or 'no contract'}): {cap}")
    return lines


NEWS_RENDERERS: dict[str, Renderer] = {
    "feeds": _feeds,
    "feed show": _feed,
    "feed reconnect": _feed,
    "feed enable": _feed,
    "feed disable": _feed,
    "feed tail": _frames,
    "triggers": _triggers,
    "trigger show": _trigger,
    "trigger enable": _trigger,
    "trigger disable": _trigger,
    "trigger stats": _stats,
    "trigger test": _rehearsed,
    "try": _rehearsed,
    "captures list": _captures,
    "captures status": _recording,
    "captures record": _recording,
    "captures stop": _recording,
    "caps": _caps,
}
