"""The house rules that a machine can hold: sizes, imports, banned names, docstrings, secrets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lowcap"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES_MAX = 420
FUNCTION_LINES_MAX = 60

# What each room may import of ours; docs/architecture.md says why.
MAY_IMPORT = {
    "core": set(),
    "net": {"core"},
    "feeds": {"core", "net", "settings"},
    "detection": {"core"},
    "risk": {"core", "settings"},
    "binance": {"core", "net"},
    "ledger": {"core"},
    "execution": {"core", "binance", "risk", "ledger", "settings"},
    "control": {"core"},
    "terminal": {"core", "control", "direct", "doctor"},
    # The second shell of flattening: of the rooms below it takes what is pure (test_direct.py
    # holds it to that), so that a one-liner can carry it.
    "direct": {"core", "control", "binance", "execution", "ledger", "risk", "config_tree"},
    # Looks from outside, without a loop: the blocking road of direct, and the configuration.
    "doctor": {"core", "control", "direct", "binance", "config", "config_tree", "settings"},
    "observe": {"core"},
    # Of the feeds it takes how keys are found and kept out of sight.
    "alerts": {"core", "net", "feeds", "settings", "supervise"},
    "paper": {"core", "net", "binance", "settings"},
}
# Clocks, chance and sleeping belong to their seams.
BANNED_CALLS = {
    "time.time",
    "time.sleep",
    "time.monotonic",
    "datetime.now",
    "datetime.utcnow",
    "uuid.uuid4",
    "uuid4",
    "random.random",
    "random.choice",
    "random.randint",
    "random.uniform",
}
BANNED_IN = (
    "core",
    "net",
    "feeds",
    "detection",
    "risk",
    "binance",
    "ledger",
    "execution",
    "paper",
    "alerts",
)
THREADS_ALLOWED = {"ledger/writer.py", "terminal/prompt.py", "terminal/top/screen.py"}
ASYNCIO_ALLOWED = {"terminal/prompt.py", "terminal/top/screen.py"}
SECRET = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[A-Za-z0-9+/]{86}==)(?![0-9A-Za-z])")
TEXTS = {".py", ".toml", ".md", ".jsonl", ".sh", ".service", ".socket", ".conf", ".yml"}


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def _own_imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lowcap."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("lowcap.")}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_fits_one_reading(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = _room(path)
    if room in MAY_IMPORT:
        extra = _own_imports(ast.parse(path.read_text())) - MAY_IMPORT[room] - {room}
        assert not extra, f"{room} imports {extra}"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_clocks_chance_and_threads_stay_in_their_places(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if _room(path) in BANNED_IN and _name(path) != "core/clock.py":
        calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        assert not calls & BANNED_CALLS
    threads = "to_thread" in path.read_text()
    assert not threads or _name(path) in THREADS_ALLOWED
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "threading" not in modules
    assert "asyncio" not in modules or _name(path) in ASYNCIO_ALLOWED


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_public_names_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.name.startswith("_") or ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_exception_is_swallowed_whole(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except at line {node.lineno}"
            if ast.unparse(node.type) in {"BaseException", "trio.Cancelled"}:
                last = node.body[-1]
                leaves = isinstance(last, ast.Raise | ast.Return)
                assert leaves, f"line {node.lineno} keeps {ast.unparse(node.type)}"


def test_no_key_and_no_machine_path_in_the_tree() -> None:
    own = {"tests/vectors.py", "requirements.lock", "requirements-dev.lock"}
    for path in sorted(ROOT.rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.suffix not in TEXTS or name in own or name.startswith((".venv", ".", "build")):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not SECRET.search(text), f"{name} holds something like a key"
        assert str(Path.home()) + "/" not in text, f"{name} names a home directory"


def test_lock_files_name_hashes_and_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        pinned = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
        assert len(pinned) > 20
        assert "index" not in text
        assert "://" not in text
        assert text.count("--hash=sha256:") >= len(pinned)
