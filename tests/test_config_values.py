"""Trees, keys and text of settings: what is shown can be typed, what is exported can be read."""

from __future__ import annotations

import json
import tempfile
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from config_kit import SHIPPED, Room
from hypothesis import given, settings
from hypothesis import strategies as st

from lowcap.config import from_tree
from lowcap.config_files import ConfigFiles
from lowcap.config_keys import is_hot, is_secret
from lowcap.config_runtime import RuntimeConfig
from lowcap.config_tree import merge, parse, value_of
from lowcap.config_values import (
    MISSING,
    key_text,
    keys_of,
    leaves,
    lookup,
    overlay,
    split_key,
    text_of,
    to_tree,
    toml_document,
    toml_text,
    without,
)
from lowcap.core.errors import CommandError, ConfigError
from lowcap.core.plain import plain
from lowcap.settings import Settings

BASE = from_tree(tomllib.loads(SHIPPED, parse_float=Decimal))
HOT_LEAVES = [leaf for leaf in leaves(BASE) if is_hot(leaf.parts)]

decimals = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, places=6)
scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63), decimals, st.text(max_size=40))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_whatever_is_shown_can_be_typed(value: Any) -> None:
    assert value_of(text_of(value)) == value
    assert type(value_of(text_of(value))) is type(value) or isinstance(value, Decimal)
    assert tomllib.loads(f"v = {toml_text(value)}", parse_float=Decimal)["v"] == value


@given(values)
def test_a_hostile_text_is_the_same_text_after_it_was_made_harmless(value: Any) -> None:
    """What ``config export`` prints has gone through ``plain``, which escapes as TOML does."""
    printed = plain(f"v = {toml_text(value)}", 100_000)
    assert tomllib.loads(printed, parse_float=Decimal)["v"] == value


@given(st.lists(st.text(st.characters(blacklist_characters='"'), min_size=1), min_size=1))
def test_a_key_is_the_same_key_after_it_was_typed(parts: list[str]) -> None:
    text = key_text(tuple(parts))
    if len(text) <= 200:
        assert split_key(text) == tuple(parts)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", 'a."b', "a" * 201, 'a".b'])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(CommandError):
        split_key(text)


def test_the_shipped_settings_survive_a_tree_and_a_file() -> None:
    assert from_tree(to_tree(BASE)) == BASE
    assert from_tree(parse(toml_document(to_tree(BASE)), "x")) == BASE
    again = toml_document(to_tree(from_tree(parse(toml_document(to_tree(BASE)), "x"))))
    assert again == toml_document(to_tree(BASE))
    for leaf in leaves(BASE):
        assert lookup(to_tree(BASE), leaf.parts) == leaf.value


def test_secrets_are_told_by_their_names() -> None:
    secret = ("alert.bot_token", "alert.pushover.user_key", "x.password", "x.api_key")
    open_ = ("trigger.elon_btc.key", "feed.tokyo.key_file", "feed.tokyo.key_env", "state.keep_days")
    assert all(is_secret(split_key(key)) for key in secret)
    assert not any(is_secret(split_key(key)) for key in open_)


numbers = st.one_of(
    st.integers(-5, 10**6),
    st.decimals(min_value=0, max_value=100, allow_nan=False, places=3),
    st.decimals(),
    st.integers(-(10**30), 10**30),
    st.text(max_size=5),
    st.booleans(),
)
SET_LEAVES = [leaf for leaf in HOT_LEAVES if leaf.parts[-1] != "id"]
sets = st.lists(st.tuples(st.sampled_from(SET_LEAVES), numbers | st.none()), max_size=12)


@given(sets)
@settings(max_examples=60, deadline=None)
def test_random_sets_and_unsets_end_where_they_began(steps: list[Any]) -> None:
    """Refused or taken: what runs is valid, exports to itself, and unset gives the files back."""
    config = RuntimeConfig(BASE)
    running = BASE
    for leaf, value in steps:
        typed = value_of(text_of(leaf.value if value is None else value))
        try:
            tree = overlay(leaf.parts, typed)
            plan = config.plan_set(running, leaf.parts, tree)
        except (ConfigError, ArithmeticError):
            continue
        config.enter(plan)
        running = plan.now
        wanted = lookup(to_tree(running), leaf.parts)
        assert wanted == typed, "exactly what was typed"
        assert from_tree(parse(toml_document(to_tree(running)), "x")) == running
    for parts in config.unsaved():
        try:
            config.enter(config.plan_unset(running, parts))
        except ConfigError:  # two values that hold each other: the other one goes first
            continue
    for parts in config.unsaved():
        config.enter(config.plan_unset(running, parts))
    assert config.sets == {}
    assert config.plan(BASE).now == BASE


@given(st.lists(st.sampled_from(HOT_LEAVES), max_size=20, unique_by=lambda leaf: leaf.parts))
def test_a_tree_is_the_sum_of_its_keys(chosen: list[Any]) -> None:
    tree: dict[str, Any] = {}
    for leaf in chosen:
        tree = merge(tree, overlay(leaf.parts, leaf.value))
    assert {*keys_of(tree)} >= {leaf.parts for leaf in chosen if leaf.parts[-1] != "id"}
    for leaf in chosen:
        assert lookup(tree, leaf.parts) == leaf.value
    for leaf in chosen:
        tree = without(tree, leaf.parts)
        if leaf.parts[-1] != "id":
            assert lookup(tree, leaf.parts) is MISSING
    assert not keys_of(tree)


@given(
    st.lists(
        st.tuples(st.sampled_from(SET_LEAVES), st.booleans()),
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_the_runtime_file_holds_what_was_made_permanent(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        room.add("90-runtime.toml", "# by hand\n[order]  # why\ncollar_pct = 1.25\n")
        files = ConfigFiles(room.path, {})
        files()
        expected = {"order": {"collar_pct": Decimal("1.25")}}
        for leaf, kept in steps:
            if kept:
                expected = merge(expected, overlay(leaf.parts, leaf.value))
                files.keep(files.draft_with(overlay(leaf.parts, leaf.value)))
            elif lookup(expected, leaf.parts) is not MISSING:
                expected = without(expected, leaf.parts)
                files.keep(files.draft_without(leaf.parts))
            text = (room.folder / "config.d" / "90-runtime.toml").read_text(encoding="utf-8")
            assert parse(text, "x") == expected
            assert text.startswith("# by hand\n")
        assert isinstance(room.load(), Settings)


def test_a_json_export_has_numbers_that_are_exact() -> None:
    tree = to_tree(BASE)
    packed = msgspec.json.Encoder(decimal_format="number").encode(tree)
    assert json.loads(packed, parse_float=Decimal) == tree
