"""Where in which file a fault of the configuration is, and what the key may be instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lowcap.config import from_tree
from lowcap.config_keys import pattern_of, range_of
from lowcap.config_tree import Layer, environment_layers, merged, parse, read_layers
from lowcap.config_values import MISSING, Parts, key_text, lookup, split_key
from lowcap.core.errors import CommandError, ConfigError

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_PAIR = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=""")
_UNKNOWN = re.compile(r"unknown key ([^ ,]+)")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_DOTTED = re.compile(r"""([A-Za-z0-9_-]+)|("[^"]*"|'[^']*')""")
_LONG_QUOTES = ('"""', "'''")
_TOKEN = re.compile(
    r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|[\[\]{}]|#.*|[^"\'\[\]{}#]+|.', re.DOTALL
)
_MANY_DOTS = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++\s*+\.\s*+){20}")
PLACED_MAX = 200
DEEP = "config: nested too deeply"


class Fault(NamedTuple):
    """One fault: the key that it is about, where that stands, and what it may be."""

    text: str
    key: str
    where: str
    line: int | None
    range: str

    @property
    def told(self) -> str:
        """The fault with its place, for people."""
        if not self.where or self.where in self.text:
            return self.text
        line = f", line {self.line}" if self.line else ""
        return f"{self.text} ({self.where}{line})"


def check_files(path: Path, environ: Mapping[str, str]) -> list[Fault]:
    """Every fault of the configuration at ``path`` with its layers; none where it is fine."""
    try:
        layers = read_layers(path, environ)
    except ConfigError as error:
        return [_unread(fault) for fault in error.faults]
    texts = {
        layer.name: layer.path.read_text(encoding="utf-8", errors="replace")
        for layer in layers
        if layer.path is not None
    }
    return _faults(layers, texts)


def too_deep(text: str) -> bool:
    """Whether a text has keys so long that the parser would take its time, and others wait."""
    return _MANY_DOTS.search(text) is not None


def check_text(text: str, environ: Mapping[str, str], name: str = "FILE") -> list[Fault]:
    """Every fault of a whole configuration given as text, under the environment."""
    try:
        if too_deep(text):
            raise ConfigError([f"{name}: nested too deeply"])
        layer = Layer(name, parse(text, name))
    except ConfigError as error:
        return [_unread(fault) for fault in error.faults]
    return _faults([layer, *environment_layers(environ)], {name: text})


def _faults(layers: list[Layer], texts: Mapping[str, str]) -> list[Fault]:
    try:
        from_tree(merged(layers))
    except ConfigError as error:
        lines = {name: lines_of(text) for name, text in texts.items()}
        told = [_placed(fault, layers, lines) for fault in error.faults[:PLACED_MAX]]
        return told + [Fault(fault, "", "", None, "") for fault in error.faults[PLACED_MAX:]]
    except RecursionError:
        return [Fault(DEEP, "", "", None, "")]
    return []


def _unread(fault: str) -> Fault:
    """A file that cannot be read names itself."""
    line = _AT_LINE.search(fault)
    return Fault(fault, "", fault.partition(": ")[0], int(line[1]) if line else None, "")


def _placed(fault: str, layers: list[Layer], lines: Mapping[str, dict[Parts, int]]) -> Fault:
    key = key_of(fault)
    for length in range(len(key), 0, -1):
        for layer in reversed(layers):
            if lookup(layer.tree, key[:length]) is not MISSING:
                found = lines.get(layer.name, {})
                known = (found.get(key[:n]) for n in range(length, 0, -1))
                line = next((number for number in known if number), None)
                may_be = range_of(pattern_of(key))
                return Fault(fault, key_text(key), layer.name, line, may_be)
    return Fault(fault, key_text(key), "", None, range_of(pattern_of(key)) if key else "")


def key_of(fault: str) -> Parts:
    """The key that a fault is about: ``trigger elon_btc.side: expected ...``."""
    path, _, text = fault.partition(": ")
    path = re.sub(r"\[\d+\]", "", path).replace("trigger ", "trigger.", 1)
    try:
        parts = () if path == "config" else split_key(path)
    except CommandError:
        return ()
    unknown = _UNKNOWN.match(text)
    return (*parts, unknown[1]) if unknown else parts


def lines_of(text: str) -> dict[Parts, int]:
    """The line of every table and key of a TOML text; those within an inline table are not told."""
    found: dict[Parts, int] = {}
    table: Parts = ()
    depth, quote, row = 0, "", 0
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not depth and not quote:
            if header := _HEADER.match(line):
                table = _dotted(header[2])
                if header[1] == "[[":
                    row += 1
                if table[:1] == ("trigger",):
                    table = ("trigger", f"#{row}", *table[1:])
                found.setdefault(table, number)
                continue
            if pair := _PAIR.match(line):
                key = (*table, *_dotted(pair[1]))
                found.setdefault(key, number)
                if key[:1] == ("trigger",) and key[2:] == ("id",):
                    names[key[1]] = line.partition("=")[2].partition("#")[0].strip().strip("\"'")
                line = line[pair.end() :]
        depth, quote = _inside(line, depth, quote)
    return {
        (path[0], names.get(path[1], path[1]), *path[2:]) if len(path) > 1 else path: number
        for path, number in found.items()
    }


def _dotted(text: str) -> Parts:
    return tuple(bare or quoted.strip("\"'") for bare, quoted in _DOTTED.findall(text))


def _inside(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How many brackets, and which long quote, are open at the end of a line."""
    at = 0
    while True:
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + len(quote), ""
        for token in _TOKEN.finditer(line, at):
            if token[0] in _LONG_QUOTES:
                at, quote = token.end(), token[0]
                break
            depth += (token[0] in "[{") - (token[0] in "]}")
        else:
            return max(depth, 0), ""
