"""Other people's clients, unchanged, against ``lowcapd exchange`` (docs/exchange.md).

Each runs in a virtual environment of its own, with every package pinned. They
are fetched from the package registry, so this group runs only when it is
asked for: ``LOWCAP_CONFORMANCE=1``.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".venv" / "conformance"
CLIENTS = {"sdk": "with_sdk.py", "ccxt": "with_ccxt.py", "python-binance": "with_python_binance.py"}
INSTALL_WITHIN_S = 300
RUN_WITHIN_S = 120
STARTED_WITHIN_S = 30
REFUSALS_MIN = 10
# What each client must have shown, whatever else its script does.
MUST_SHOW = {
    "set leverage", "place", "query", "cancel", "conditional place", "conditional query",
    "conditional cancel", "positions", "balance", "trades", "stream mark price", "stream user",
}  # fmt: skip

asked_for = pytest.mark.skipif(
    os.environ.get("LOWCAP_CONFORMANCE") != "1",
    reason="needs the package registry; run it with LOWCAP_CONFORMANCE=1 or make conformance",
)


def environment_of(client: str) -> Path:
    """The interpreter of a client's environment, which is made where its pins have changed."""
    pins = HERE / f"requirements-{client}.txt"
    folder = ENVIRONMENTS / client
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, timeout=60)
        install = [python, "-m", "pip", "install", "-q", "--no-deps", "-r", pins]
        subprocess.run(install, check=True, timeout=INSTALL_WITHIN_S)
        ready.write_text(wanted)
    return python


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A running simulator; gives the environment variables that lead to it."""
    keys = tmp_path / "keys"
    command = [sys.executable, "-m", "lowcap", "exchange", "--tick-ms", "250"]
    with subprocess.Popen(
        [*command, "--credentials", keys], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            told = dict(line.strip().split(" = ") for line in lines)
            urls = {f"LOWCAP_{name.upper()}": ast.literal_eval(url) for name, url in told.items()}
            yield urls | {
                "LOWCAP_API_KEY": (keys / "api-key").read_text(),
                "LOWCAP_API_SECRET": (keys / "api-secret").read_text(),
            }
        finally:
            process.terminate()
            process.wait(STARTED_WITHIN_S)


def run_client(client: str, variables: dict[str, str]) -> list[dict[str, Any]]:
    """The steps that a client's script has told."""
    done = subprocess.run(
        [environment_of(client), HERE / CLIENTS[client]],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_S,
    )
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (steps[-1:], done.stderr[-2_000:])
    return steps


@asked_for
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_works_against_the_simulator(client: str, exchange: dict[str, str]) -> None:
    steps = run_client(client, exchange)
    failed = [step for step in steps if not step["ok"]]
    assert not failed
    names = {step["name"] for step in steps}
    assert names >= MUST_SHOW
    assert sum(name.startswith("refused ") for name in names) >= REFUSALS_MIN


@pytest.mark.parametrize("client", CLIENTS)
def test_every_package_of_a_client_is_pinned(client: str) -> None:
    lines = (HERE / f"requirements-{client}.txt").read_text().splitlines()
    assert lines
    assert all(line.count("==") == 1 for line in lines)


def test_scripts_need_no_more_than_their_client() -> None:
    """They run where lowcap is not installed."""
    for name in (*CLIENTS.values(), "client_steps.py"):
        assert "lowcap." not in (HERE / name).read_text(), name
