"""Configuration: complete as shipped, strict, in layers, and every fault named at once."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from config_kit import SHIPPED, Room
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowcap import config
from lowcap.config import find_config, from_tree, load, state_dir
from lowcap.core.errors import ConfigError
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.listing import ListingMatch
from lowcap.detection.matchers.mention import MentionMatch
from lowcap.detection.matchers.payroll import PayrollMatch
from lowcap.detection.matchers.roadmap import RoadmapMatch
from lowcap.detection.matchers.text import Named, TextMatch
from lowcap.detection.rules import Detector
from lowcap.settings import Settings

IDS = ["nfp_le_50k", "nfp_51k_100k", "nfp_125k_149k", "nfp_ge_150k", "nfp_unr_a", "nfp_unr_b",
       "sec_approval", "upbit_listing", "elon_btc", "trump_buyback_burn", "eric_trump_token",
       "coinbase_roadmap", "s1_trust", "trump_reserve", "etf_filing",
       "news_coin_mention"]  # fmt: skip
FEEDS = ["bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter", "upbit"]
OUR_FEEDS = {f"LOWCAP_FEED__{name.upper()}__URL": "ws://127.0.0.1:9/x" for name in FEEDS[:5]}
OUR_FEEDS |= {f"LOWCAP_FEED__{name}__URL": "http://[::1]:9/x" for name in ("TWITTER", "UPBIT")}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


# -- as shipped ----------------------------------------------------------------


def test_the_shipped_file_loads_and_is_dry(room: Room) -> None:
    settings = room.load()
    assert settings.mode == "dry"
    assert [trigger.id for trigger in settings.trigger] == IDS
    assert list(settings.feed) == FEEDS
    assert [name for name, feed in settings.feed.items() if not feed.enabled] == ["upbit"]
    assert all(trigger.enabled for trigger in settings.trigger)
    assert settings.exchange.rest_url == ""
    Detector(settings.trigger, settings.hedge, CoinTable({}))


def test_the_shipped_file_shows_every_section_and_key() -> None:
    tree = tomllib.loads(SHIPPED)
    for section in attrs.fields(Settings):
        assert section.name in tree, section.name
        if attrs.has(section.type) and section.type is not None:
            missing = {field.name for field in attrs.fields(section.type)} - set(tree[section.name])
            assert not missing, (section.name, missing)


def test_the_shipped_file_says_the_built_in_defaults() -> None:
    built_in = Settings(limits=from_tree(tomllib.loads(SHIPPED, parse_float=Decimal)).limits)
    loaded = from_tree(tomllib.loads(SHIPPED, parse_float=Decimal))
    differing = {
        field.name
        for field in attrs.fields(Settings)
        if getattr(built_in, field.name) != getattr(loaded, field.name)
    }
    assert differing == {"hedge", "feed", "trigger", "sizing", "protect_for", "notify"}


def test_the_triggers_as_shipped(room: Room) -> None:
    by_id = {trigger.id: trigger for trigger in room.load().trigger}
    weak, listing, elon = by_id["nfp_le_50k"], by_id["upbit_listing"], by_id["elon_btc"]
    assert isinstance(weak.match, PayrollMatch)
    assert (weak.side, weak.match.at_most, weak.tier) == (Side.SELL, 50_000, "macro")
    assert weak.notional_usd == {"ETHUSDT": Decimal(300_000)}
    assert isinstance(listing.match, ListingMatch)
    assert listing.match.not_coins == ("KRW", "BTC", "USDT", "USDC")
    assert isinstance(elon.match, TextMatch)
    assert (elon.match.authors[0].handle, elon.match.authors[0].id) == ("elonmusk", "44196397")
    mention, roadmap = by_id["news_coin_mention"], by_id["coinbase_roadmap"]
    family, reserve = by_id["trump_buyback_burn"].match, by_id["trump_reserve"].match
    assert isinstance(mention.match, MentionMatch)
    assert (mention.side, mention.once, mention.tier) == (None, "title", "batch")
    assert mention.match.not_coins == ("BTC", "ETH")
    assert isinstance(roadmap.match, RoadmapMatch)
    assert roadmap.match.within == 40
    assert isinstance(family, TextMatch)
    assert [token.coin for token in family.tokens] == ["TRUMP", "WLFI"]
    assert isinstance(reserve, TextMatch)
    assert [branch.with_coin for branch in reserve.either] == [False, False, True]
    assert reserve.named == Named(least=0, most=5, keep_largest=True, otherwise="BTC")
    assert [t.id for t in by_id.values() if t.stand_in] == [*IDS[:7], "coinbase_roadmap"]
    assert by_id["s1_trust"].key == by_id["etf_filing"].key == "etf"
    assert "not" in room.load().hedge


def test_the_hash_tells_contents_apart_and_nothing_else(room: Room) -> None:
    first = load(room.path, {})[1]
    room.change("# lowcap configuration", "# My configuration")
    assert load(room.path, {})[1] == first
    assert load(room.path, {"LOWCAP_ORDER__COLLAR_PCT": "1.4"})[1] != first
    room.change("collar_pct = 1.5", "collar_pct = 1.4")
    assert load(room.path, {})[1] != first


# -- layers ----------------------------------------------------------------------


def test_a_short_file_takes_the_defaults(room: Room) -> None:
    room.path.write_text(
        "[limits]\norder_notional_usd_max=1\nposition_notional_usd_max=1\n"
        "gross_notional_usd_max=1\nopen_positions_max=1\nday_loss_usd_max=1.5\n"
    )
    settings = room.load()
    assert settings.order.collar_pct == Decimal("1.5")
    assert settings.limits.day_loss_usd_max == Decimal("1.5")
    assert settings.trigger == ()


def test_numbers_are_exact_decimals(room: Room) -> None:
    room.change("collar_pct = 1.5", "collar_pct = 1.1")
    assert room.load().order.collar_pct == Decimal("1.1")
    room.change("collar_pct = 1.1", "collar_pct = 2")
    assert room.load().order.collar_pct == Decimal(2)


def test_config_d_is_laid_on_in_order_of_name(room: Room) -> None:
    room.add("20.toml", "[order]\ncollar_pct = 3\n")
    room.add("10.toml", "[order]\ncollar_pct = 2\nreply_timeout_ms = 900\n")
    room.add("30.toml.bak", "[order]\ncollar_pct = 4\n")
    settings = room.load()
    assert settings.order.collar_pct == 3
    assert settings.order.reply_timeout_ms == 900
    assert settings.order.exit_recv_window_ms == 2_000


def test_config_d_merges_triggers_by_id(room: Room) -> None:
    room.add(
        "mine.toml",
        '[[trigger]]\nid = "elon_btc"\nenabled = false\nmatch.any_of = ["doge"]\n'
        '[[trigger]]\nid = "mine"\nfeeds = ["tokyo"]\nside = "BUY"\nmatcher = "text"\nkey = "m"\n'
        '[trigger.match]\nauthors = [{ handle = "x" }]\nany_of = ["y"]\nsymbols = ["BTCUSDT"]\n',
    )
    settings = room.load()
    assert [trigger.id for trigger in settings.trigger] == [*IDS, "mine"]
    elon = settings.trigger[IDS.index("elon_btc")]
    assert isinstance(elon.match, TextMatch)
    assert (elon.enabled, elon.match.any_of, elon.max_age_s) == (False, ("doge",), 15)
    assert elon.match.authors[0].id == "44196397"
    assert settings.trigger[-1].cooldown_s == 600


def test_a_misspelled_id_in_config_d_is_a_fault_not_a_new_rule(room: Room) -> None:
    room.add("mine.toml", '[[trigger]]\nid = "elon_btk"\nenabled = false\n')
    (fault,) = room.faults()
    assert fault.startswith("trigger elon_btk: matcher: expected one of")


def test_rows_in_config_d_that_are_no_triggers(room: Room) -> None:
    room.add("mine.toml", 'trigger = [5, "x", { id = [] }, { id = 5 }, {}]\n')
    faults = room.faults()
    assert [fault.split(":")[0] for fault in faults] == [f"trigger[{n}]" for n in range(16, 21)]


def test_an_id_twice_in_one_file_is_a_fault_also_under_config_d(room: Room) -> None:
    room.change('id = "nfp_51k_100k"', 'id = "nfp_le_50k"')
    assert room.faults() == ["trigger nfp_le_50k: defined twice"]
    room.add("mine.toml", '[[trigger]]\nid = "nfp_le_50k"\nenabled = false\n')
    assert room.faults() == ["trigger nfp_le_50k: defined twice"]


def test_a_broken_file_in_config_d_is_named(room: Room) -> None:
    room.add("bad.toml", "a = \n")
    (fault,) = room.faults()
    assert "config.d/bad.toml" in fault
    assert "line 1" in fault


def test_environment_is_the_last_layer(room: Room) -> None:
    room.add("a.toml", "[order]\ncollar_pct = 3\n")
    settings = room.load(
        LOWCAP_ORDER__COLLAR_PCT="2.5",
        LOWCAP_STATE__DIR="/tmp/x y",
        LOWCAP_FEED__TOKYO__ENABLED="false",
        LOWCAP_PROTECT__LADDER="[[100, 3]]",
        LOWCAP_MODE="testnet",
        LOWCAP_EXCHANGE__CREDENTIALS_DIR="",
        LOWCAP_CONFIG="/elsewhere",
        LOWCAP_CORPUS="/elsewhere",
        OTHER__KEY="1",
        lowcap_order__collar_pct="9",
    )
    assert settings.order.collar_pct == Decimal("2.5")
    assert settings.state.dir == "/tmp/x y"
    assert not settings.feed["tokyo"].enabled
    assert settings.protect.ladder == ((Decimal(100), Decimal(3)),)
    assert settings.mode == "testnet"


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("LOWCAP_ORDER__COLLAR_PCT", "much", "order.collar_pct: expected a number, not 'much'"),
        ("LOWCAP_ORDER__COLLAR_PCT", "", "order.collar_pct: expected a number, not ''"),
        ("LOWCAP_ORDER__COLLAR_PCT", "nan", "order.collar_pct: expected a finite number"),
        (
            "LOWCAP_ORDER__COLLAR_PCT",
            "1e999",
            "order.collar_pct: expected a number of ordinary size",
        ),
        ("LOWCAP_ORDER__COLLAR_PCT", "1e" + "9" * 30, "order.collar_pct: expected a number, not"),
        ("LOWCAP_ORDER__COLLAR_PCT", "9" * 5_000, "order.collar_pct: expected a number, not"),
        ("LOWCAP_ORDER__COLLAR_PCT", "[" * 5_000, "order.collar_pct: expected a number, not"),
        ("LOWCAP_ORDER__COLLAR_PCT", "1\nx = 2", "order.collar_pct: expected a number, not"),
        ("LOWCAP_ORDER__COLAR_PCT", "1", "order: unknown key colar_pct"),
        ("LOWCAP_ODER__COLLAR_PCT", "1", "config: unknown key oder"),
        ("LOWCAP___X", "1", "config: unknown key "),
        ("LOWCAP_MODE__X", "1", "mode: expected text, not {'x': 1}"),
        ("LOWCAP_MODE", "wet", "mode: expected one of dry, testnet, live, not 'wet'"),
        ("LOWCAP_ORDER__COLLAR_PCT__X", "1", "order.collar_pct: expected a number"),
        ("LOWCAP_TRIGGER__0__ENABLED", "false", "trigger: expected a list"),
        ("LOWCAP_SIZING__SYMBOL_USD__BTCUSDT", "5", "sizing.symbol_usd.btcusdt: expected a symbol"),
        ("LOWCAP_STATE__DIR", "\udcff", None),
    ],
)
def test_faults_in_the_environment(room: Room, name: str, value: str, fault: str | None) -> None:
    if fault is None:
        assert room.load(**{name: value}).state.dir == value
        return
    faults = room.faults(**{name: value})
    assert any(found.startswith(fault) for found in faults), faults


# -- addresses -------------------------------------------------------------------


def _venue(room: Room, mode: str, rest: str, api: str, stream: str) -> None:
    room.change('mode = "dry" ', f'mode = "{mode}" ')
    room.change("equity_floor_usd = 0 ", "equity_floor_usd = 900 ")
    room.change('rest_url = ""', f'rest_url = "{rest}"')
    room.change('ws_api_url = ""', f'ws_api_url = "{api}"')
    room.change('stream_url = ""', f'stream_url = "{stream}"')


@pytest.mark.parametrize("mode", ["dry", "testnet", "live"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_loopback_is_fine_in_every_mode(room: Room, mode: str, host: str) -> None:
    _venue(room, mode, f"http://{host}", f"ws://{host}/api", f"ws://{host}")
    assert room.load().mode == mode


LIVE = ("https://fapi.binance.com", "wss://ws-fapi.binance.com/ws-fapi/v1",
        "wss://fstream.binance.com")  # fmt: skip
TESTNET = ("https://demo-fapi.binance.com", "wss://testnet.binancefuture.com/ws-fapi/v1",
           "wss://fstream.binancefuture.com")  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "urls", "faults"),
    [
        ("live", LIVE, 0),
        ("live", TESTNET, 2),
        ("live", ("https://evil.example", *LIVE[1:]), 1),
        ("testnet", TESTNET, 0),
        ("testnet", LIVE, 3),  # testnet needs no arming: it may not reach the live venue
        ("testnet", ("https://binancefuture.com.evil.io", *TESTNET[1:]), 1),
        ("dry", LIVE, 3),
        ("dry", TESTNET, 3),
        ("live", ("http://fapi.binance.com", *LIVE[1:]), 1),
        ("live", ("https://fapi.binance.com", "ws://ws-fapi.binance.com", LIVE[2]), 1),
    ],
)
def test_where_each_mode_may_trade(
    room: Room, mode: str, urls: tuple[str, str, str], faults: int
) -> None:
    _venue(room, mode, *urls)
    if faults:
        found = room.faults()
        assert len(found) == faults, found
        assert all(fault.startswith("exchange.") for fault in found)
    else:
        assert room.load().exchange.rest_url == urls[0]


def test_more_entries_a_minute_on_loopback_only(room: Room) -> None:
    environ = dict(OUR_FEEDS)
    environ["LOWCAP_LIMITS__ENTRIES_PER_MIN_MAX"] = "300"
    assert room.load(**environ).limits.entries_per_min_max == 300
    fault = "limits.entries_per_min_max: expected at most 30 away from loopback"
    live_prices = {"LOWCAP_PAPER__UPSTREAM_URL": "wss://fstream.binance.com"}
    assert room.faults(**environ, **live_prices) == [fault]
    del environ["LOWCAP_FEED__TOKYO__URL"]
    assert room.faults(**environ) == [fault]


def test_ceilings_hold_in_live_mode_whatever_the_feeds_are(room: Room) -> None:
    environ = dict(OUR_FEEDS)
    environ["LOWCAP_MODE"] = "live"
    environ["LOWCAP_LIMITS__ORDER_NOTIONAL_USD_MAX"] = "2_000_000"
    environ["LOWCAP_PROTECT__STOP_DEADLINE_MS"] = "60_000"
    environ["LOWCAP_LIMITS__LOSING_STREAK_MAX"] = "0"
    assert room.faults(**environ) == [
        "limits.order_notional_usd_max: expected at most 1000000 away from loopback",
        "protect.stop_deadline_ms: expected at most 3000 away from loopback",
        "limits.losing_streak_max: expected 1 or more; it may be off (0) on loopback only",
        "limits.equity_floor_usd: expected more than 0 in live mode: entries end there",
    ]


@pytest.mark.parametrize("key", ["losing_streak_max", "executions_per_hour_max"])
def test_what_bounds_a_bad_day_may_be_off_on_loopback_only(room: Room, key: str) -> None:
    environ = dict(OUR_FEEDS) | {f"LOWCAP_LIMITS__{key.upper()}": "0"}
    assert getattr(room.load(**environ).limits, key) == 0
    del environ["LOWCAP_FEED__TOKYO__URL"]
    assert room.faults(**environ) == [
        f"limits.{key}: expected 1 or more; it may be off (0) on loopback only"
    ]


def test_no_limits_no_start(room: Room) -> None:
    text = room.path.read_text(encoding="utf-8")
    given, rest = text.index("[limits]"), text.index("[protect]")
    room.path.write_text(text[:given] + text[rest:], encoding="utf-8")
    assert room.faults() == ["limits: required key is missing"]


def test_a_feed_without_an_address_may_be_off(room: Room) -> None:
    room.change('url = "wss://news.treeofalpha.com/ws"', 'url = ""\nenabled = false')
    assert not room.load().feed["toa_news"].enabled


# -- files ----------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        load(tmp_path / "none.toml", {})
    assert "--config" in caught.value.hint
    with pytest.raises(ConfigError, match="no such file"):
        load(None, {"LOWCAP_CONFIG": str(tmp_path / "none.toml")})


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path, {})


def test_a_folder_in_config_d(room: Room) -> None:
    (room.folder / "config.d" / "x.toml").mkdir(parents=True)
    assert "directory" in room.faults()[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = 1\nb =\n", "line 2"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"[a]\n[a]\n", "line 2"),
        (b'a = "x\n', "line 1"),
        (b"\xff\xfea = 1", "utf-8"),
        (b"a = '\xed\xa0\x80'", "utf-8"),
        (b"a = 1\x00", "line 1"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a = " + b"9" * 5_000, "digits"),
        (b"a = 1e" + b"9" * 30, "not a usable number"),
        (b"a = 2020-13-45", "line 1"),
        (b"a = 2020-02-30", ""),
        (b"", "limits: required key is missing"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(room: Room, content: bytes, words: str) -> None:
    room.path.write_bytes(content)
    (fault,) = room.faults()
    assert words in fault
    if content:
        assert str(room.path) in fault


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_escapes_as_another_error(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("c") / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path, {})


# -- where it is looked for --------------------------------------------------------


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config({"LOWCAP_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    (tmp_path / "config.toml").write_text("")
    assert find_config({}) == Path("config.toml")
    assert find_config({"LOWCAP_CONFIG": ""}) == Path("config.toml")


def test_a_place_that_may_not_be_looked_into_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(config.Path, "exists", refuse)
    assert find_config({}) == Path("config.toml")


def test_the_state_folder(room: Room) -> None:
    settings = room.load()
    assert state_dir(settings, {"STATE_DIRECTORY": "/a:/b", "HOME": "/h"}) == Path("/a")
    assert state_dir(settings, {"XDG_STATE_HOME": "/x"}) == Path("/x/lowcap")
    assert state_dir(settings, {"HOME": "/h"}) == Path("/h/.local/state/lowcap")
    named = room.load(LOWCAP_STATE__DIR="/named")
    assert state_dir(named, {"STATE_DIRECTORY": "/a"}) == Path("/named")
