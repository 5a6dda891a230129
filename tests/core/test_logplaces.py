"""Where log records belong: folders, and the files of an exported tree."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.config import load
from lowcap.config_tree import shipped
from lowcap.core.logplaces import (
    AREAS,
    FEEDS,
    FOLDER_OF_TRIGGER,
    SIGNAL_FOLDERS,
    all_paths,
    folder_of,
    paths_of,
)
from lowcap.observe.kinds import KINDS

Json = dict[str, Any]


def test_every_shipped_trigger_and_feed_has_a_folder() -> None:
    settings, _ = load(shipped("config.toml"), {})
    assert {trigger.id for trigger in settings.trigger} == set(FOLDER_OF_TRIGGER)
    assert set(FEEDS) < set(settings.feed)
    assert len(SIGNAL_FOLDERS) == 12
    assert folder_of("nfp_unr_a", "synoptic") == "nfp_macro"
    assert folder_of("my_own", "bwe") == "my_own"
    assert folder_of("", "phoenix") == "phoenix_signals"
    assert folder_of("", "bwe") == ""


def test_the_tree_is_complete() -> None:
    paths = all_paths()
    assert len(paths) == len(set(paths)) == 3 + 6 * 3 + 12 * 3 + 6 + 3
    assert "signals/nfp_macro/nfp_macro.log" in paths
    assert "websockets/toa_news/toa_news.log" in paths
    for kind in KINDS.values():
        row = {"area": kind.area, "log": kind.log, "kind": kind.name, "level": kind.level}
        for path in paths_of(row | {"feed": "bwe", "folder": "s1_trust"}):
            assert path in paths, kind


@pytest.mark.parametrize(
    ("row", "paths"),
    [
        ({"area": "feeds", "log": "connections", "feed": "bwe"},
         ["websockets/bwe/connections.log", "websockets/bwe/bwe.log"]),
        ({"area": "signals", "log": "detections", "folder": "nfp_macro", "feed": "synoptic"},
         ["signals/nfp_macro/nfp_macro.log", "signals/nfp_macro/detections.log"]),
        ({"area": "signals", "log": "processing", "kind": "news.no-trade", "feed": "bwe"},
         ["signals/other/other.log", "signals/other/processing.log", "websockets/bwe/data.log",
          "websockets/bwe/bwe.log"]),
        ({"area": "orders", "log": "guards"}, ["orders/guards.log"]),
        ({"area": "orders", "log": "executions", "kind": "order.filled"},
         ["orders/executions.log", "trading/general.log"]),
        ({"area": "trading", "log": "pnl"}, ["trading/pnl.log"]),
        ({"area": "control", "log": "app"}, ["general/app.log"]),
        ({"area": "system", "log": "startup"}, ["general/startup.log"]),
        ({"area": "system", "log": "errors", "level": "error"}, ["general/errors.log"]),
        ({"area": "feeds", "log": "data", "feed": "../../etc", "level": "critical"},
         ["websockets/other/data.log", "websockets/other/other.log", "general/errors.log"]),
    ],
)  # fmt: skip
def test_a_record_goes_to_its_files(row: Json, paths: list[str]) -> None:
    assert paths_of(row) == paths


@given(st.fixed_dictionaries(
    {"area": st.one_of(st.sampled_from(AREAS), st.text()), "log": st.text(), "feed": st.text(),
     "folder": st.text(), "kind": st.sampled_from(["news.signal", "order.filled", "x"]),
     "level": st.text()}))  # fmt: skip
def test_no_record_leaves_the_tree(row: Json) -> None:
    for path in paths_of(row):
        pure = PurePosixPath(path)
        assert not pure.is_absolute()
        assert ".." not in pure.parts
        assert pure.suffix == ".log"
        assert path.isprintable()
        assert path.isascii()
