"""Configuration that cannot be used: every fault is named by its path, all at once."""

from __future__ import annotations

import contextlib
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from config_kit import SHIPPED, Room
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowcap.config import from_tree
from lowcap.core.errors import ConfigError
from lowcap.detection.coins import CoinTable
from lowcap.detection.rules import Detector


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


# -- faults: types -----------------------------------------------------------------

WRONG_TYPES = [
    ("collar_pct = 1.5", 'collar_pct = "1.5"', "order.collar_pct: expected a number, not '1.5'"),
    ("collar_pct = 1.5", "collar_pct = true", "order.collar_pct: expected a number, not True"),
    ("collar_pct = 1.5", "collar_pct = nan", "order.collar_pct: expected a finite number"),
    ("collar_pct = 1.5", "collar_pct = -inf", "order.collar_pct: expected a finite number"),
    ("collar_pct = 1.5", "collar_pct = [1]", "order.collar_pct: expected a number, not [1]"),
    ("collar_pct = 1.5", "collar_pct = 2020-01-01", "order.collar_pct: expected a number"),
    ("partial = true", "partial = 1", "sizing.partial: expected true or false, not 1"),
    ("scale = 1.0", "scale = 1e400", "sizing.scale: expected a number of ordinary size"),
    ("scale = 1.0", "scale = 1e-400", "sizing.scale: expected a number of ordinary size"),
    ("max = 20", 'max = "20"', "leverage.max: expected a whole number, not '20'"),
    ("max = 20", "max = 20.0", "leverage.max: expected a whole number, not 20.0"),
    ("max = 20", "max = true", "leverage.max: expected a whole number, not True"),
    ('dir = ""', "dir = 5", "state.dir: expected text, not 5"),
    ("idle_s = 900", 'idle_s = "900"', "feed.synoptic.idle_s: expected a whole number"),
    ("collar_pct = 1.5", "colar_pct = 1.5", "order: unknown key colar_pct"),
    ("[order]", "[oder]", "config: unknown key oder"),
    ("order_notional_usd_max = 500_000", "",
     "limits.order_notional_usd_max: required key is missing"),
    ('format = "tree"', "", "feed.tokyo.format: required key is missing"),
    ("[[50, 2], [30, 4], [20, 8]]", "[[50, 2, 1], [50, 4]]",
     "protect.ladder[0]: expected 2 values, not 3"),
    ("[[50, 2], [30, 4], [20, 8]]", "[50, 2]", "protect.ladder[0]: expected a list, not 50"),
    ("[[50, 2], [30, 4], [20, 8]]", '[["50", 2], [50, 4]]',
     "protect.ladder[0][0]: expected a number, not '50'"),
    ("symbol_usd = {", "symbol_usd = 5 # {", "sizing.symbol_usd: expected a table, not 5"),
    ('id = "elon_btc"', 'id = "elon_btc"\nenabled = "yes"',
     "trigger elon_btc.enabled: expected true or false, not 'yes'"),
    ('id = "elon_btc"', 'id = "elon_btc"\nenabeld = true', "trigger elon_btc: unknown key enabeld"),
    ('key = "elon"\n', "", "trigger elon_btc.key: required key is missing"),
    ('id = "elon_btc"\n', "", "trigger[8].id: required key is missing"),
    ('feeds = ["tokyo"]', 'feeds = "tokyo"',
     "trigger elon_btc.feeds: expected a list, not 'tokyo'"),
    ('markets = ["KRW", "원화"]', 'markets = "KRW"',
     "trigger upbit_listing.match.markets: expected a list, not 'KRW'"),
    ('symbols = ["BTCUSDT"]', 'symbols = ["BTCUSDT", 5]',
     "trigger elon_btc.match.symbols[1]: expected text, not 5"),
    ('side = "BUY"', 'side = "LONG"',
     "trigger nfp_125k_149k.side: expected \"BUY\", \"SELL\" or \"EITHER\", not 'LONG'"),
    ('matcher = "text"', 'matcher = "texts"',
     "trigger sec_approval: matcher: expected one of text"),
    ('matcher = "text"', 'matcher = ["text"]',
     "trigger sec_approval: matcher: expected one of text"),
    ("notional_usd = { BTCUSDT = 250_000 }", 'notional_usd = { BTCUSDT = "much" }',
     "trigger elon_btc.notional_usd.BTCUSDT: expected a number, not 'much'"),
    ('authors = [{ handle = "elonmusk", id = "44196397" }]',
     'authors = [{ handle = "elonmusk", id = 44196397 }]',
     "trigger elon_btc.match.authors[0].id: expected text, not 44196397"),
    ('authors = [{ handle = "elonmusk", id = "44196397" }]', 'authors = ["elonmusk"]',
     "trigger elon_btc.match.authors[0]: expected a table, not 'elonmusk'"),
    ("at_most = 50_000", "at_most = 50_000.5", "trigger nfp_le_50k.match.at_most: "),
    ("at_most = 50_000", "atmost = 50_000", "trigger nfp_le_50k.match: unknown key atmost"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "fault"), WRONG_TYPES, ids=[row[1][:40] for row in WRONG_TYPES]
)
def test_types_are_strict_and_faults_carry_their_path(
    room: Room, old: str, new: str, fault: str
) -> None:
    room.change(old, new)
    faults = room.faults()
    assert any(found.startswith(fault) for found in faults), faults


@pytest.mark.parametrize(
    ("section", "value", "fault"),
    [
        ("order", "5", "order: expected a table, not 5"),
        ("order", '"abc"', "order: expected a table, not 'abc'"),
        ("feed", "[]", "feed: expected a table, not []"),
        ("feed", "{ tokyo = 5 }", "feed.tokyo: expected a table, not 5"),
        ("trigger", "{ a = 1 }", "trigger: expected a list, not {'a': 1}"),
        ("trigger", "[1]", "trigger[0]: expected a table, not 1"),
        ("hedge", '"not"', "hedge: expected a list, not 'not'"),
        ("hedge", "[true]", "hedge[0]: expected text, not True"),
        ("coin_overrides", "{ LUNA = 5 }", "coin_overrides.LUNA: expected text, not 5"),
    ],
)
def test_sections_of_another_type(room: Room, section: str, value: str, fault: str) -> None:
    limits = SHIPPED[SHIPPED.index("[limits]") : SHIPPED.index("[protect]")]
    room.path.write_text(f"{section} = {value}\n{limits}", encoding="utf-8")
    assert room.faults() == [fault]


# -- faults: meaning ----------------------------------------------------------------

NO_SENSE = [
    ('mode = "dry" ', 'mode = "DRY" ', "mode: expected one of"),
    ("keep_days = 90", "keep_days = 0", "state.keep_days: expected 1 to"),
    ("wallet_usdt = 1_000_000", "wallet_usdt = -1", "paper.wallet_usdt: expected more than 0"),
    ("tick_ms = 1_000", "tick_ms = 0", "paper.tick_ms: expected 1 to"),
    ("step_bps = 2", "step_bps = -2", "paper.step_bps: expected 0 to"),
    ("port = 0", "port = 65_536", "paper.port: expected 0 to"),
    ('upstream_url = ""', 'upstream_url = "ws://fstream.binance.com"',
     "paper.upstream_url: expected wss:// away from loopback, not ws://"),
    ('upstream_url = ""', 'upstream_url = "https://fapi.binance.com"',
     "paper.upstream_url: expected an address like wss://host/path"),
    ('upstream_url = ""', 'upstream_url = "wss://fstream.binance.com?a=1"',
     "paper.upstream_url: expected the base of the streams, without ? and #"),
    ('upstream_url = ""', 'upstream_url = "wss://["', "paper.upstream_url: Invalid IPv6"),
    ("collar_pct = 1.5", "collar_pct = 0", "order.collar_pct: expected more than 0"),
    ("collar_pct = 1.5", "collar_pct = -1.5", "order.collar_pct: expected more than 0"),
    ("collar_pct = 1.5", "collar_pct = 5.01", "order.collar_pct: expected at most 5"),
    ("entry_recv_window_ms = 1_000", "entry_recv_window_ms = 99", "order.entry_recv_window_ms: "),
    ("reply_timeout_ms = 1_500", "reply_timeout_ms = 10_001", "order.reply_timeout_ms: "),
    ("slippage_pct = 5 ", "slippage_pct = 5.1 ",
     "order.max_retry_slippage_pct: expected at most 5"),
    ("slippage_pct = 5 ", "slippage_pct = 1.4 ",
     "order.max_retry_slippage_pct: expected at least order.collar_pct"),
    ("retry_backoff = 1.5", "retry_backoff = 1", "order.retry_backoff: expected 1.1 to 3"),
    ("retry_backoff = 1.5", "retry_backoff = 3.1", "order.retry_backoff: expected 1.1 to 3"),
    ("retries_max = 2", "retries_max = 3", "order.retries_max: expected 0 to 2"),
    ("retries_max = 2", "retries_max = -1", "order.retries_max: expected 0 to 2"),
    ("scale = 1.0", "scale = 0", "sizing.scale: expected more than 0"),
    ("default_usd = 14_567", "default_usd = -1", "sizing.default_usd: expected more than 0"),
    ("BTCUSDT = 250_000, E", "BTCUSDT = -1, E", "sizing.symbol_usd.BTCUSDT: expected more than 0"),
    ("BTCUSDT = 250_000, E", "btcusdt = 1, E", "sizing.symbol_usd.btcusdt: expected a symbol"),
    ("max = 20", "max = 21", "leverage.max: expected 1 to 20"),
    ("max = 20", "max = 0", "leverage.max: expected 1 to 20"),
    ("order_notional_usd_max = 500_000", "order_notional_usd_max = 0",
     "limits.order_notional_usd_max"),
    ("open_positions_max = 20", "open_positions_max = -1", "limits.open_positions_max: "),
    ("day_loss_usd_max = 50_000", "day_loss_usd_max = -5", "limits.day_loss_usd_max: "),
    ("entries_per_s_max = 5", "entries_per_s_max = 0", "limits.entries_per_s_max: "),
    ("entries_per_min_max = 30", "entries_per_min_max = 0", "limits.entries_per_min_max: "),
    ("losing_streak_max = 3", "losing_streak_max = -1", "limits.losing_streak_max: expected 0 to"),
    ("executions_per_hour_max = 3", "executions_per_hour_max = -1",
     "limits.executions_per_hour_max: expected 0 to"),
    ("equity_floor_usd = 0", "equity_floor_usd = -1", "limits.equity_floor_usd: expected 0 to"),
    ("drawdown_pct_max = 10", "drawdown_pct_max = 101", "limits.drawdown_pct_max: expected 0 to"),
    ("entries_per_hour_max = 60", "entries_per_hour_max = -1",
     "limits.entries_per_hour_max: expected 0 to"),
    ("entries_per_day_max = 300", "entries_per_day_max = -1",
     "limits.entries_per_day_max: expected 0 to"),
    ("feed_notional_usd_max = 2_000_000", "feed_notional_usd_max = -1",
     "limits.feed_notional_usd_max: expected 0 to"),
    ('id = "elon_btc"', 'id = "elon_btc"\nexecutions_per_hour = 1001',
     "trigger elon_btc.executions_per_hour: expected 0 to 1000"),
    ("entries_per_min_max = 30", "entries_per_min_max = 31",
     "limits.entries_per_min_max: expected at"),
    ("margin_pct_max = 30", "margin_pct_max = 31", "limits.margin_pct_max: expected at most 30"),
    ("price_age_ms_max = 3_000", "price_age_ms_max = 0", "limits.price_age_ms_max: "),
    ("mark_last_pct_max = 1.0", "mark_last_pct_max = 0", "limits.mark_last_pct_max: "),
    ("stop_pct = 2.0", "stop_pct = -2", "protect.stop_pct: expected 0.05 to 49.9"),
    ("stop_pct = 2.0", "stop_pct = 50", "protect.stop_pct: expected 0.05 to 49.9"),
    ("atr_multiple = 0", "atr_multiple = 21", "protect.atr_multiple: expected 0 to 20"),
    ("atr_pct_max = 5", "atr_pct_max = 0", "protect.atr_pct_max: expected 0.05 to 49.9"),
    ("trail_pct = 1.5", "trail_pct = -1", "protect.trail_pct: expected 0 to 49.9"),
    ("trail_step_pct = 0.2", "trail_step_pct = 0", "protect.trail_step_pct: expected 0.05 to 10"),
    ("time_exit_s = 0", "time_exit_s = 9_999_999", "protect.time_exit_s: expected 0 to 2592000"),
    ('symbols = ["BTCUSDT", "ETHUSDT"]\ntrail', 'symbols = []\ntrail',
     "protect_for.majors.symbols: expected at least one contract"),
    ('symbols = ["BTCUSDT", "ETHUSDT"]\ntrail', 'symbols = ["btc"]\ntrail',
     "protect_for.majors.symbols: expected a contract like BTCUSDT, not 'btc'"),
    ('symbols = ["BTCUSDT", "ETHUSDT"]\ntrail', 'symbols = ["WIFUSDT"]\ntrail',
     "protect_for.memes.symbols: WIFUSDT is in protect_for.majors already"),
    ("stop_pct = 3.0", "stop_pct = 0", "protect_for.memes.stop_pct: expected 0.05 to 49.9"),
    ("stop_pct = 3.0", "ladder = [[90, 2]]",
     "protect_for.memes.ladder: expected shares that add up to 100"),
    ("stop_deadline_ms = 3_000", "stop_deadline_ms = 0", "protect.stop_deadline_ms: "),
    ("[[50, 2], [30, 4], [20, 8]]", "[[50, 2], [30, 4]]",
     "protect.ladder: expected shares that add"),
    ("[[50, 2], [30, 4], [20, 8]]", "[]",
     "protect.ladder: expected shares that add up to 100, not 0"),
    ("[[50, 2], [30, 4], [20, 8]]", "[[150, 2], [-50, 4]]",
     "protect.ladder: expected shares above"),
    ("[[50, 2], [30, 4], [20, 8]]", "[[100, 0]]", "protect.ladder: expected shares above 0"),
    ("[[50, 2], [30, 4], [20, 8]]", "[[100, 100]]", "protect.ladder: expected shares above 0"),
    ('positions = "keep"', 'positions = "close"',
     "shutdown.positions: expected one of keep, flatten"),
    ('level = "info"', 'level = "loud"', "log.level: expected one of debug"),
    ('dir = ""', 'dir = "a\\u0000"', "state.dir: expected a path"),
    # feeds
    ("[feed.tokyo]", '[feed."a b"]', "feed.a b: expected a name"),
    ('format = "tree"', 'format = "Tree"', "feed.tokyo.format: expected one of tree, synoptic"),
    ("text_ping_s = 15", "text_ping_s = -1", "feed.tokyo.text_ping_s: expected 0 to"),
    ("idle_s = 75", "idle_s = 0", "feed.tokyo.idle_s: expected 1 to"),
    ('"wss://news.treeofalpha.com/ws"', '""', "feed.toa_news.url: expected an address, or enabled"),
    ('"wss://news.treeofalpha.com/ws"', '"ws://news.treeofalpha.com/ws"',
     "feed.toa_news.url: expected wss:// away from loopback"),
    ('"wss://news.treeofalpha.com/ws"', '"https://news.treeofalpha.com/ws"',
     "feed.toa_news.url: expected an address like wss://host/path"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://me@news.treeofalpha.com/ws"',
     "feed.toa_news.url: an address carries no user name"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://me:secret@news.treeofalpha.com/ws"',
     "feed.toa_news.url: an address carries no user name"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://"', "feed.toa_news.url: expected an address like"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://["', "feed.toa_news.url: Invalid IPv6"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://h:0/"', "feed.toa_news.url: expected an address"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://h:99999/"', "feed.toa_news.url: Port out of range"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://h/ x"', "feed.toa_news.url: expected an address"),
    ('"wss://news.treeofalpha.com/ws"', '"wss://h/\\r\\nX: y"', "feed.toa_news.url: expected an"),
    ('"wss://news.treeofalpha.com/ws"', '"ws://127.0.0.1.evil.io/"',
     "feed.toa_news.url: expected wss"),
    ('"wss://news.treeofalpha.com/ws"', '"ws://evil.io\\\\@localhost/"', "feed.toa_news.url: "),
    # the venue
    ('rest_url = ""', 'rest_url = "http://127.0.0.1:1"', "exchange: expected all of rest_url"),
    ('rest_url = ""', 'rest_url = "http://["', "exchange.rest_url: Invalid IPv6"),
    ('rest_url = ""', 'rest_url = "ws://127.0.0.1"', "exchange.rest_url: expected an address like"),
    ('rest_url = ""', 'rest_url = "https://fapi.binance.com"',
     "exchange.rest_url: dry mode trades on loopback only, not at fapi.binance.com"),
    ('rest_url = ""', 'rest_url = "http://tokyo.treeofalpha.com"',
     "exchange.rest_url: expected https"),
    # triggers
    ('id = "elon_btc"', 'id = "upbit_listing"', "trigger upbit_listing: defined twice"),
    ('id = "elon_btc"', 'id = "a b"', "trigger a b.id: expected letters"),
    ('id = "elon_btc"', 'id = ""', "trigger .id: expected letters"),
    ('feeds = ["tokyo"]', 'feeds = ["tokio"]', "trigger elon_btc.feeds: no feed 'tokio'"),
    ('feeds = ["tokyo"]', "feeds = []", "trigger elon_btc.feeds: expected at least one"),
    ('feeds = ["tokyo"]', 'feeds = ["tokyo", "tokyo"]',
     "trigger elon_btc.feeds: a feed is named"),
    ('key = "elon"', 'key = " "', "trigger elon_btc.key: expected the stem"),
    ('tier = "macro"', 'tier = "P0"', "trigger nfp_le_50k.tier: expected one of macro"),
    ("max_age_s = 15", "max_age_s = 0", "trigger elon_btc.max_age_s: expected 1 to"),
    ("cooldown_s = 21_600", "cooldown_s = -1", "trigger elon_btc.cooldown_s: expected 0 to"),
    ("{ BTCUSDT = 250_000 }", "{ BTCUSDT = -250_000 }", "trigger elon_btc.notional_usd.BTCUSDT: "),
    ("{ BTCUSDT = 250_000 }", "{ btcusdt = 250_000 }", "trigger elon_btc.notional_usd.btcusdt: "),
    ('rate = "in-line"', 'rate = "inline"',
     "trigger nfp_le_50k.match.rate: expected one of in-line"),
    ('stream_id = "01HV7K3M9QZ4X8N2B6C5D1E0FG"\nrate = "in-line"\nsymbols = ["ETHUSDT"]\nat_most',
     'stream_id = ""\nrate = "in-line"\nsymbols = ["ETHUSDT"]\nat_most',
     "trigger nfp_le_50k.match.stream_id: expected the stream's id"),
    ("at_most = 50_000", "", "trigger nfp_le_50k.match.at_most: expected a band"),
    ("at_most = 100_000", "at_most = 50_000",
     "trigger nfp_51k_100k.match.at_most: expected the upper"),
    ("above = 50_000", "above = 50_000\nat_least = 1",
     "trigger nfp_51k_100k.match.above: expected"),
    ('symbols = ["ETHUSDT"]', "symbols = []",
     "trigger nfp_le_50k.match.symbols: expected at least"),
    ('symbols = ["BTCUSDT"]', 'symbols = ["btcusdt"]',
     "trigger elon_btc.match.symbols: expected symbols"),
    ('symbols = ["BTCUSDT"]', 'symbols = ["BTCUSDT", "BTCUSDT"]',
     "trigger elon_btc.match.symbols: one"),
    ('handle = "elonmusk"', 'handle = "@elonmusk"', "trigger elon_btc.match.authors[0].handle: "),
    ('id = "44196397" }', 'id = "x" }', "trigger elon_btc.match.authors[0].id: expected digits"),
    ('any_of = ["{|$|#}BTC", ', 'any_of = ["{|$|#}BTC", "", ',
     "trigger elon_btc.match.any_of[1]: the phrase '' is"),
    ('any_of = ["{|$|#}BTC", ', 'any_of = ["{|$|#}BTC", "*", ',
     "trigger elon_btc.match.any_of[1]: the phrase '*'"),
    ('"suspend{|s|ed}", ', '"two <n> years", ', "trigger elon_btc.match.none_of[0]: the phrase"),
    ('hedge = [\n  "not", ', 'hedge = [\n  "", ', "hedge[0]: the phrase '' is empty"),
    ('source = "upbit"', 'source = ""', "trigger upbit_listing.match.source: expected the sender"),
    ('path = "/service_center/notice"', 'path = ""', "trigger upbit_listing.match.path: expected"),
    ('markets = ["KRW", "원화"]', "markets = []", "trigger upbit_listing.match.markets: expected"),
    ('markets = ["KRW", "원화"]', 'markets = [" "]', "trigger upbit_listing.match.markets[0]: the"),
    # matchers of words: one row each shows that their faults get through; the rest is theirs
    ('any_of = ["{|$|#}BTC", ', 'any_of = ["{|$|#BTC", ',
     "trigger elon_btc.match.any_of[0]: the phrase '{|$|#BTC' has braces"),
    ('side = "EITHER"', 'side = "BUY"', 'trigger news_coin_mention.side: expected "EITHER" for'),
    ('once = "id"', 'once = "body"', 'trigger elon_btc.once: expected "id", "title" or nothing'),
    ("most = 2\nbuy", "most = 0\nbuy", "trigger news_coin_mention.match.most: expected 1 to 20"),
    ("within = 40", "within = 0", "trigger coinbase_roadmap.match.within: expected 1 to"),
    ("named = { least = 1, most = 3 }", "named = { least = 4, most = 3 }",
     "trigger sec_approval.match.named: expected least and most"),
    ("with_coin = true", 'with_coin = "yes"',
     "trigger trump_reserve.match.either[2].with_coin: expected true or false, not 'yes'"),
    ('macro_regime = "risk_on_strong"', 'macro_regime = "risk"', "payroll.macro_regime: expected"),
    ('  "종료", ', '  "", ', "trigger upbit_listing.match.none_of[0]: the phrase '' is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "fault"), NO_SENSE, ids=[row[1][:50] for row in NO_SENSE])
def test_values_that_make_no_sense_or_no_good(room: Room, old: str, new: str, fault: str) -> None:
    room.change(old, new)
    faults = room.faults()
    assert any(found.startswith(fault) for found in faults), faults
    assert not any("secret" in found for found in faults)


def test_all_faults_are_listed_at_once(room: Room) -> None:
    room.change("collar_pct = 1.5", 'collar_pct = "5"')
    room.change("max = 20", "max = true")
    room.change("[log]", "[log]\ncolour = 1")
    room.change('id = "elon_btc"', 'id = "elon_btc"\nenabled = 1\nfoo = 2')
    assert sorted(room.faults()) == [
        "leverage.max: expected a whole number, not True",
        "log: unknown key colour",
        "order.collar_pct: expected a number, not '5'",
        "trigger elon_btc.enabled: expected true or false, not 1",
        "trigger elon_btc: unknown key foo",
    ]


def test_all_faults_of_meaning_are_listed_at_once(room: Room) -> None:
    room.change("collar_pct = 1.5", "collar_pct = 9")
    room.change("idle_s = 75", "idle_s = -1")
    room.change('feeds = ["tokyo"]', 'feeds = ["tokio"]')
    room.change('level = "info"', 'level = "x"')
    with pytest.raises(ConfigError) as caught:
        room.load()
    assert len(caught.value.faults) == 4
    assert "lowcapd check" in caught.value.hint
    assert all(fault in str(caught.value) for fault in caught.value.faults)


# -- whatever is written -----------------------------------------------------------

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.decimals() | st.just("ws://["),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
BASE = tomllib.loads(SHIPPED, parse_float=Decimal)
PATHS = [
    (section, key)
    for section, table in BASE.items()
    if isinstance(table, dict)
    for key in (*table, "other")
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), VALUES)
def test_no_value_anywhere_escapes_as_another_error(path: tuple[str, str], value: object) -> None:
    section, key = path
    tree = BASE | {section: BASE[section] | {key: value}}
    with contextlib.suppress(ConfigError):
        from_tree(tree)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, len(BASE["trigger"]) - 1),
    st.sampled_from(["id", "feeds", "side", "matcher", "key", "match", "tier", "max_age_s",
                     "notional_usd", "enabled", "other"]),
    VALUES,
)  # fmt: skip
def test_no_trigger_escapes_as_another_error(number: int, key: str, value: object) -> None:
    rows = list(BASE["trigger"])
    rows[number] = rows[number] | {key: value}
    with contextlib.suppress(ConfigError):
        settings = from_tree(BASE | {"trigger": rows})
        Detector(settings.trigger, settings.hedge, CoinTable({}))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, len(BASE["trigger"]) - 1),
    st.sampled_from(["any_of", "none_of", "erase", "markets", "symbols", "authors", "source",
                     "hosts", "path", "rate", "at_most", "stream_id", "coins_max", "not_coins",
                     "sources", "streams", "text", "all_of", "either", "hedge", "excuse", "topic",
                     "coins", "tokens", "named", "buy", "sell", "most", "within"]),
    VALUES | st.lists(st.text(max_size=6), max_size=3),
)  # fmt: skip
def test_what_loads_can_be_compiled(number: int, key: str, value: object) -> None:
    rows = list(BASE["trigger"])
    rows[number] = rows[number] | {"match": rows[number]["match"] | {key: value}}
    with contextlib.suppress(ConfigError):
        settings = from_tree(BASE | {"trigger": rows})
        Detector(settings.trigger, settings.hedge, CoinTable({}))
