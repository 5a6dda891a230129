"""The command table: one entry serves the one-liner, the REPL, its help and its completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VIEW, TRADE, ADMIN = "view", "trade", "admin"


class Argument(NamedTuple):
    """A positional word. ``kind`` names what completes it, ``choices`` all that it may be."""

    name: str
    kind: str = "text"
    required: bool = True
    choices: tuple[str, ...] = ()


class Option(NamedTuple):
    """A ``--name VALUE`` option, or a flag. What a ``file`` holds travels in its place."""

    name: str
    help: str
    flag: bool = False
    short: str = ""
    number: bool = False
    file: bool = False


class Command(NamedTuple):
    """One command. ``severe`` ones ask for a typed word, ``moderate`` ones for yes.

    ``roles`` are those of actions (the first argument) that need more than ``role``.
    """

    name: str
    help: str
    role: str = VIEW
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    danger: str = ""
    stream: bool = False
    roles: tuple[tuple[str, str], ...] = ()

    def role_for(self, params: Mapping[str, object]) -> str:
        """The role that a call with these parameters needs."""
        return dict(self.roles).get(str(params.get("action")), self.role)

    def follows(self, params: Mapping[str, object]) -> bool:
        """Whether a call goes on to show what comes."""
        return self.stream and bool(params.get("follow") or params.get("action") == "tail")


_FOLLOW = Option("follow", "go on as new ones come", flag=True, short="-f")
_COUNT = Option("count", "how many", short="-n", number=True)
_REASON = Option("reason", "why; it is recorded")
_NEWS = (
    Option("author", "as a post by this account"),
    Option("source", "as an item of this source"),
    Option("file", "a file with one frame, as the feed would send it", file=True),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "status",
        "mode, state, feeds, positions and result in one look",
        examples=("status", "status --json"),
    ),
    Command("positions", "open positions with stop and ladder", examples=("positions",)),
    Command(
        "orders",
        "orders of ours, newest last",
        options=(Option("open", "only those that may still execute", flag=True), _COUNT),
        examples=("orders --open", "orders -n 50"),
    ),
    Command(
        "position",
        "one position in full: stop and its rule, ladder, orders",
        arguments=(Argument("symbol", "position"),),
        examples=("position BTC",),
    ),
    Command(
        "stop",
        "the stop of a position: look at it, or move it to a price or a distance",
        arguments=(
            Argument("action", choices=("show", "move")),
            Argument("symbol", "position"),
            Argument("price", required=False),
        ),
        options=(Option("loosen", "also away from the market; it follows no more", flag=True),),
        examples=("stop show BTC", "stop move BTC 64250", "stop move BTC 1% --loosen"),
        roles=(("move", TRADE),),
    ),
    Command(
        "trade",
        "an entry by hand, through the same gate; without --usd as large as a signal's",
        role=TRADE,
        arguments=(
            Argument("symbol", "symbol"),
            Argument("side", choices=("long", "short")),
        ),
        options=(
            Option("usd", "so many dollars", number=True),
            Option("preview", "only say what would be sent, or why not", flag=True),
        ),
        examples=("trade BTC long --usd 1000 --preview", "trade PEPE short --yes"),
        danger="moderate",
    ),
    Command(
        "long",
        "buy: short for trade SYMBOL long",
        role=TRADE,
        arguments=(Argument("symbol", "symbol"), Argument("usd", "number", required=False)),
        options=(Option("preview", "only say what would be sent, or why not", flag=True),),
        examples=("long BTC 1000", "long BTC 1000 --preview"),
        danger="moderate",
    ),
    Command(
        "short",
        "sell: short for trade SYMBOL short",
        role=TRADE,
        arguments=(Argument("symbol", "symbol"), Argument("usd", "number", required=False)),
        options=(Option("preview", "only say what would be sent, or why not", flag=True),),
        examples=("short BTC 1000",),
        danger="moderate",
    ),
    Command(
        "pnl",
        "profit and loss: realised, fees, funding, slippage; by trigger, symbol, feed or day",
        arguments=(
            Argument("period", required=False, choices=("today", "yesterday", "7d", "30d", "all")),
        ),
        options=(Option("by", "a line for each trigger, symbol, feed or day"),),
        examples=("pnl", "pnl 7d --by trigger", "pnl all --by day --json"),
    ),
    Command(
        "equity",
        "the equity curve with its largest fall",
        options=(Option("days", "how many days back, 7 where nothing is said", number=True),),
        examples=("equity", "equity --days 1", "equity --days 30 --json"),
    ),
    Command(
        "trades",
        "closed trades, newest last; export writes all of them as CSV",
        arguments=(Argument("action", required=False, choices=("list", "export")),),
        options=(_COUNT, Option("csv", "comma-separated values with a header", flag=True)),
        examples=("trades", "trades list -n 50", "trades export --csv > trades.csv"),
    ),
    Command("feeds", "each news source: state, last frame, counts", examples=("feeds",)),
    Command(
        "feed",
        "one news source: look at it, follow its frames, connect anew, switch it on or off",
        arguments=(
            Argument("action", choices=("show", "tail", "reconnect", "enable", "disable")),
            Argument("name", "feed"),
        ),
        options=(_REASON,),
        examples=("feed show tokyo", "feed tail bwe", "feed disable phoenix --reason noise"),
        stream=True,
        roles=(("reconnect", TRADE), ("enable", TRADE), ("disable", TRADE)),
    ),
    Command("triggers", "each trigger: on or off, feeds, hits", examples=("triggers",)),
    Command(
        "trigger",
        "one trigger: look at it, test words on it, switch it on or off, count",
        arguments=(
            Argument("action", choices=("show", "test", "enable", "disable", "stats")),
            Argument("id", "trigger", required=False),
        ),
        options=(
            Option("text", "with test: the words"),
            Option("feed", "with test: the feed that they come by"),
            *_NEWS,
            _REASON,
        ),
        examples=(
            "trigger show elon_btc",
            'trigger test elon_btc --author elonmusk --text "Bitcoin is back"',
            "trigger disable news_coin_mention --reason noise",
            "trigger stats",
        ),
        roles=(("enable", TRADE), ("disable", TRADE)),
    ),
    Command(
        "try",
        "what would happen now to a piece of news, through sizing, without any order",
        arguments=(Argument("text", required=False),),
        options=(Option("feed", "the feed that it comes by"), *_NEWS),
        examples=(
            'try --feed bwe "Visa partners with Hedera (HBAR) on payments"',
            'try --feed tokyo --author elonmusk "Bitcoin is back"',
        ),
    ),
    Command(
        "captures",
        "record what the feeds send, or list what was recorded",
        arguments=(Argument("action", choices=("list", "status", "record", "stop")),),
        options=(
            Option("feeds", "with record: only these, with commas between"),
            Option("for", "with record: stop by itself after 30s, 30m or 2h"),
        ),
        examples=("captures record --for 2h", "captures list", "captures stop"),
        roles=(("record", TRADE), ("stop", TRADE)),
    ),
    Command(
        "caps",
        "market capitalisations: how old, how many; of one coin",
        arguments=(Argument("symbol", "symbol", required=False),),
        options=(Option("refresh", "ask for them now", flag=True),),
        examples=("caps", "caps HBAR", "caps --refresh"),
    ),
    Command(
        "leverage",
        "leverage of one symbol: set, best for a size, largest position, margin needed",
        arguments=(Argument("symbol", "symbol"),),
        options=(Option("usd", "a position of so many dollars; else the usual size"),),
        examples=("leverage BTCUSDT", "leverage HBAR --usd 250000"),
    ),
    Command(
        "reload",
        "read the configuration again: triggers, sizes and limits take effect at once",
        role=ADMIN,
        examples=("reload",),
    ),
    Command(
        "risk",
        "limits and what is used of them, holds, locks, breakers; what the gate would say",
        arguments=(
            Argument("action", required=False, choices=("check",)),
            Argument("symbol", "symbol", required=False),
            Argument("side", required=False, choices=("long", "short")),
        ),
        options=(Option("usd", "with check: this many dollars instead of the usual size"),),
        examples=("risk", "risk check BTCUSDT long --usd 50000"),
    ),
    Command(
        "unlock",
        "lift the halt of a protection, the pause of a symbol, or an open breaker",
        role=TRADE,
        arguments=(Argument("name", "lock"),),
        options=(_REASON,),
        examples=('unlock loss-streak --reason "stops were too tight"',),
    ),
    Command(
        "explain",
        "one trade from frame to protection, or why there was none",
        arguments=(Argument("trace", "trace", required=False),),
        options=(
            Option("last", "the newest trade or refusal", flag=True),
            Option("fastest", "the trade with the quickest own work", flag=True),
        ),
        examples=("explain --last", "explain 1042"),
    ),
    Command(
        "events",
        "ledger records",
        options=(
            _FOLLOW,
            _COUNT,
            Option("since", "all after this record number", number=True),
            Option("type", "only records of this kind"),
        ),
        examples=("events -n 20", "events -f --type Filled"),
        stream=True,
    ),
    Command(
        "logs",
        "the daemon's log",
        options=(
            _FOLLOW,
            _COUNT,
            Option("priority", "this level and worse", short="-p"),
            Option("grep", "only lines that contain this text", short="-g"),
        ),
        examples=("logs -n 50", "logs -f -p warning"),
        stream=True,
    ),
    Command(
        "pause",
        "no new entries; exits, stops and ladders go on",
        role=TRADE,
        options=(Option("for", "lift by itself after 30s, 30m or 2h"), _REASON),
        examples=("pause --for 30m --reason lunch",),
    ),
    Command(
        "resume",
        "take entries again; after halt or panic with a reason",
        role=TRADE,
        options=(_REASON,),
        examples=("resume", 'resume --reason "feed is fine again"'),
    ),
    Command(
        "halt",
        "latched stop: resting entries cancelled, positions keep their stops",
        role=TRADE,
        options=(_REASON,),
        examples=("halt --reason news",),
    ),
    Command(
        "panic",
        "halt, close every position of ours, prove that it is flat",
        role=TRADE,
        options=(
            _REASON,
            Option("all", "also positions and orders that are not ours", flag=True),
            Option("direct", "without the daemon, which may be dead or stuck", flag=True),
        ),
        examples=("panic --yes", "panic --direct --yes"),
        aliases=("emergency-stop",),
        danger="severe",
    ),
    Command(
        "close",
        "close one position, a share of it, or all",
        role=TRADE,
        arguments=(Argument("symbol", "position", required=False),),
        options=(
            Option("all", "every position of ours", flag=True),
            Option("pct", "only this share, in per cent", number=True),
        ),
        examples=("close BTCUSDT", "close ETHUSDT --pct 50", "close --all --yes"),
        aliases=("close-all", "closeall"),
        danger="moderate",
    ),
    Command(
        "arm",
        "let a live daemon trade until it stops",
        role=ADMIN,
        danger="severe",
        examples=("arm",),
    ),
    Command("disarm", "take the arm command back", role=TRADE, examples=("disarm",)),
    Command("version", "daemon and client versions", examples=("version",)),
)

BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS} | {
    alias: command for command in COMMANDS for alias in command.aliases
}
DURATION_S_MAX = 30 * 86_400
ALIAS_FLAGS = {"close-all": ("--all",), "closeall": ("--all",)}


def parse_duration_s(text: str) -> int:
    """``90``, ``30s``, ``30m`` or ``2h`` in seconds.

    Raises:
        ValueError: anything else, and more than ``DURATION_S_MAX``.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    if not (number.isascii() and number.isdecimal() and len(number) <= 8):
        raise ValueError(text)
    seconds = int(number) * unit
    if not 0 < seconds <= DURATION_S_MAX:
        raise ValueError(text)
    return seconds
