"""``lowcapctl logs`` where the daemon's ring is not enough: older records, exports, no daemon."""

from __future__ import annotations

import os
import shlex
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lowcap.control.client import CallFailed, Connection, Unreachable
from lowcap.control.commands import BY_NAME
from lowcap.control.logquery import (
    Keep,
    journalctl_words,
    keep_logs,
    moment_of,
    output_of,
    stamp,
)
from lowcap.control.protocol import Json
from lowcap.core.logplaces import all_paths, paths_of
from lowcap.core.plain import plain
from lowcap.terminal.logstore import (
    Source,
    file_rows,
    journal_rows,
    likely_writers,
    log_files,
    log_place,
)
from lowcap.terminal.options import Options
from lowcap.terminal.output import complain, finish, json_text, say
from lowcap.terminal.table import Style, fold, terminal_columns, wants_colour, wrap

PAGE_ROWS = 500
LINES_HELD = 2_000
PIPE_COLUMNS = 10_000
_ROLES = {"debug": "dim", "info": "", "warning": "warn", "error": "bad"}
_SHOWN = ("cursor", "log", "mode", "trace", "feed", "trigger", "folder", "symbol", "message_id")
# What asks for nothing but a selection of records.
_SELECTING = ("priority", "errors", "grep", "since", "until", "area", "feed", "trigger", "trace")


def run_logs(params: Json, options: Options) -> int | None:
    """Carry out ``logs``; None where the daemon's answer is all there is to it.

    Raises:
        LowcapError: what was asked for does not exist, or cannot be read or written.
    """
    now = datetime.now(UTC)
    action = params.get("action")
    if params.get("journalctl"):
        say(shlex.join(journalctl_words(params, now)))
        return 0
    if action == "export" or params.get("tree"):
        return _export(params, options, now)
    if action in ("show", "stats"):
        return None
    output = output_of(params)
    options = options._replace(as_json=options.as_json or output == "json")
    count = params.get("count")
    long = bool(params.get("since")) or (isinstance(count, int) and count > PAGE_ROWS)
    if output != "full" and not long and not params.get("after") and _is_there(options):
        return None
    show, last = _shower(output, options), ""
    for row in _newest(gather(params, options, now), count, all_of_them=bool(params.get("since"))):
        show(row)
        last = row["cursor"]
    finish()
    if params.get("follow"):
        _follow(params, options, show, last)
    return 0


def _is_there(options: Options) -> bool:
    """Whether a daemon answers. Where none does, the log is wanted all the more.

    Raises:
        CallFailed: there is one, and it does not let us in.
    """
    try:
        _connect(options).close()
    except Unreachable:
        return False
    return True


def _connect(options: Options) -> Connection:
    return Connection(options.places(), options.patience_s(BY_NAME["logs"]))


def _newest(rows: Iterator[Json], count: object, *, all_of_them: bool) -> Iterable[Json]:
    if count is None and all_of_them:
        return rows
    return deque(rows, maxlen=count if isinstance(count, int) and count > 0 else 50)


def _follow(params: Json, options: Options, show: Callable[[Json], None], last: str) -> None:
    """Show what has come since the last record, then what comes."""
    connection = _connect(options)
    try:
        asked = {"follow": True, "after": last or "0-0", "count": PAGE_ROWS}
        missed: Any = connection.call("logs", _selection(params) | asked)
        for row in missed:
            show(row)
        finish()
        for event in connection.events():
            show(event)
            finish()
    finally:
        connection.close()


def _selection(params: Json) -> Json:
    return {name: params[name] for name in _SELECTING if name in params}


# -- where records come from ----------------------------------------------------------


def gather(params: Json, options: Options, now: datetime) -> Iterator[Json]:
    """All records that are asked for, oldest first: older ones from journal or file, then the ring.

    Raises:
        LowcapError: neither can be read, or the question is wrong; or no daemon answers, and
            nothing of the kind was ever written.
    """
    keep = keep_logs(params, now)
    try:
        connection = _connect(options)
    except Unreachable as away:
        yield from _without_daemon(params, keep, now, away)
        return
    try:
        writers = {connection.daemon_uid}
        stats: Any = connection.call("logs", {"action": "stats"})
        ring = list(_pages(connection, params))
    finally:
        connection.close()
    if _before_ring(params, stats, now):
        seen = {row["cursor"] for row in ring}
        oldest = stats["oldest"] or stamp(now)
        source = log_place(stats["to"], stats["file"])
        try:
            for row in _older(source, params, keep, now, writers):
                if row["at"] <= oldest and row["cursor"] not in seen:
                    yield row
        except CallFailed as failure:
            complain(f"only from {oldest} on: {failure.message}", failure.hint)
    yield from ring


def _before_ring(params: Json, stats: Json, now: datetime) -> bool:
    """Whether something older than the ring is meant."""
    since, count = params.get("since"), params.get("count")
    if params.get("after"):
        return False
    if since is not None and stats["oldest"] is not None:
        return stamp(moment_of(str(since), now)) < str(stats["oldest"])
    return params.get("action") == "export" or (isinstance(count, int) and count > stats["kept"])


def _without_daemon(params: Json, keep: Keep, now: datetime, away: Unreachable) -> Iterator[Json]:
    source, found = log_place(None, None), False
    for row in _older(source, params, keep, now, likely_writers()):
        if not found:
            sys.stderr.write(f"no daemon answers; this is from {plain(source.name, 1_000)}\n")
        found = True
        yield row
    if not found:
        raise away


def _older(
    source: Source, params: Json, keep: Keep, now: datetime, writers: set[int]
) -> Iterator[Json]:
    """Records from the file, or those of the journal that were written by one of these users."""
    if source.path is not None:
        return filter(keep, file_rows(log_files(source.path)))
    wanted = {"since": params["since"]} if params.get("since") else {}
    words = journalctl_words(wanted | {"output": "json"}, now, "+lowcap")
    words += [f"_UID={uid}" for uid in sorted(writers)]
    return filter(keep, journal_rows(words))


def _pages(connection: Connection, params: Json) -> Iterator[Json]:
    """What the ring has, in portions: a long answer must not hold the daemon up."""
    cursor = str(params.get("after") or "0-0")
    while True:
        asked = _selection(params) | {"after": cursor, "count": PAGE_ROWS}
        page: Any = connection.call("logs", asked)
        yield from page
        if len(page) < PAGE_ROWS:
            return
        cursor = page[-1]["cursor"]


# -- showing --------------------------------------------------------------------------


def _shower(output: str, options: Options) -> Callable[[Json], None]:
    style = Style(wants_colour(options.color, os.environ))
    columns = terminal_columns() if sys.stdout.isatty() else PIPE_COLUMNS

    def show(row: Json) -> None:
        if options.as_json:
            say(json_text(row))
            return
        lines = full_lines if output == "full" else short_lines
        for line in lines(row, style, columns):
            say(line)

    return show


def short_lines(row: Json, style: Style, columns: int) -> list[str]:
    """One log record, its text wrapped under itself."""
    text = f"{row['at'][11:23]} {row['level']:<7} {row['area']:<8} {plain(row['text'], 1_000)}"
    role = _ROLES.get(row["level"], "bad")
    return [style(line, role) for line in wrap(text, columns, indent=20)]


def full_lines(row: Json, style: Style, columns: int) -> list[str]:
    """One log record with every field that it has."""
    role = _ROLES.get(row["level"], "bad")
    head = f"{row['at']} {row['level']} {row['area']} {row['kind']}"
    lines = [style(line, role) for line in fold(head, columns)]
    lines += wrap(f"  {plain(row['text'], 1_000)}", columns, indent=2)
    shown = {name: row.get(name) for name in _SHOWN}
    for name, value in {**shown, **row.get("fields", {})}.items():
        if value:
            text = str(value)
            for part in text.split("\n") if name == "TRACEBACK" else [text]:
                lines += wrap(f"    {name}={plain(part, 1_000)}", columns, indent=6)
    return lines


def show_lines(row: Json, style: Style, columns: int) -> list[str]:
    """One record in full, and what its kind means."""
    lines = full_lines(row, style, columns)
    if row.get("subject"):
        lines += ["", *wrap(style(plain(row["subject"]), ""), columns, indent=0)]
        for paragraph in str(row["meaning"]).split("\n\n"):
            lines += ["", *wrap(plain(" ".join(paragraph.split()), 4_000), columns, indent=0)]
    return lines


def stats_lines(value: Json, style: Style, columns: int) -> list[str]:
    """Counts and rates of the log."""
    place = value["file"] or value["to"]
    lines = [
        f"{value['records']:,} records since the start, {value['kept']:,} in the ring",
        f"last minute {value['last_minute']}, of them errors {value['errors_last_minute']}; "
        f"last hour {value['last_hour']:,}, errors {value['errors_last_hour']:,}",
        "by level: " + _counts(value["by_level"]),
        "by area: " + _counts(value["by_area"]),
        f"written to {plain(str(place), 1_000)}",
    ]
    if value["dropped"]:
        lines.append(style(f"{value['dropped']:,} records could not be written there", "warn"))
    return [part for line in lines for part in fold(line, columns)]


def _counts(counts: Json) -> str:
    return ", ".join(f"{plain(name)} {number:,}" for name, number in counts.items()) or "none"


def page_lines(value: Any, style: Style, columns: int) -> list[str]:  # noqa: ANN401  # JSON
    """What ``logs`` answers: records, or the line for journalctl."""
    if isinstance(value, dict):
        return wrap(plain(value["journalctl"], 4_000), columns, indent=4)
    return [line for row in value for line in short_lines(row, style, columns)]


def full_page(rows: list[Json], style: Style, columns: int) -> list[str]:
    """Records with every field."""
    return [line for row in rows for line in full_lines(row, style, columns)]


def json_page(rows: list[Json], style: Style, columns: int) -> list[str]:
    """Records as JSON, a line each."""
    return [json_text(row) for row in rows]


LOG_RENDERERS: dict[str, Callable[[Any, Style, int], list[str]]] = {
    "logs": page_lines,
    "logs full": full_page,
    "logs json": json_page,
    "logs show": show_lines,
    "logs stats": stats_lines,
}

# -- exporting ------------------------------------------------------------------------


def _export(params: Json, options: Options, now: datetime) -> int:
    tree, target = params.get("tree"), params.get("output")
    if bool(tree) == bool(target):
        raise CallFailed(
            "export to what?", hint="logs export -o FILE, or logs export --tree DIR", code="usage"
        )
    form = str(params.get("format") or "text")
    if form not in ("text", "json"):
        raise CallFailed(f"no such format {form[:40]!r}", hint="text or json", code="usage")
    path = Path(str(tree or target))
    rows = gather(params, options, now)
    try:
        if tree:
            rows_written, files = _write_tree(path, rows, anew=options.yes)
            value: Json = {"folder": str(path), "records": rows_written, "files": files}
        else:
            rows_written = _write_file(path, rows, form, anew=options.yes)
            value = {"file": str(path), "records": rows_written}
    except FileExistsError:
        raise CallFailed(
            f"{path} is there already", hint="name another one, or --yes", code="usage"
        ) from None
    except OSError as error:
        raise CallFailed(f"{path}: {error.strerror}", code="failed") from None
    if options.as_json:
        say(json_text(value, indent=2))
    else:
        say(f"{rows_written:,} records to {plain(str(path))}")
    return 0


def exported_line(row: Json) -> str:
    """A record as a line of an exported text."""
    trace = f" trace={row['trace']}" if row.get("trace") else ""
    text = plain(str(row["text"]), 1_000)
    return f"{row['at']} {row['level'].upper():<8} {row['kind']}{trace} {text}"


def _write_file(path: Path, rows: Iterator[Json], form: str, *, anew: bool) -> int:
    written = 0
    with path.open("w" if anew else "x", encoding="utf-8", errors="replace") as file:
        for row in rows:
            file.write((json_text(row) if form == "json" else exported_line(row)) + "\n")
            written += 1
    return written


def _write_tree(folder: Path, rows: Iterator[Json], *, anew: bool) -> tuple[int, int]:
    """The records as the tree of files, empty ones too; returns how many records and files.

    Raises:
        FileExistsError: the folder holds something, and that was not allowed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not anew:
        raise FileExistsError
    made = dict.fromkeys(all_paths())
    for name in made:
        _make(folder / name)
    held: dict[str, list[str]] = {}
    written = waiting = 0
    for row in rows:
        written += 1
        for name in paths_of(row):
            if name not in made:
                made[name] = None
                _make(folder / name)
            held.setdefault(name, []).append(exported_line(row))
            waiting += 1
        if waiting >= LINES_HELD:
            _append(folder, held)
            waiting = 0
    _append(folder, held)
    return written, len(made)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def _append(folder: Path, held: dict[str, list[str]]) -> None:
    for name, lines in held.items():
        with (folder / name).open("a", encoding="utf-8", errors="replace") as file:
            file.write("\n".join(lines) + "\n")
    held.clear()
