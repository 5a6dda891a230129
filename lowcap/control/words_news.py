"""Commands about news: feeds, triggers, trials, captures, capitalisations."""

from __future__ import annotations

from lowcap.control.entry import REASON, TRADE, Argument, Command, Option

_NEWS = (
    Option("author", "as a post by this account"),
    Option("source", "as an item of this source"),
    Option("file", "a file with one frame, as the feed would send it", file=True),
)

NEWS: tuple[Command, ...] = (
    Command("feeds", "each news source: state, last frame, counts", examples=("feeds",)),
    Command(
        "feed",
        "one news source: look at it, follow its frames, connect anew, switch it on or off",
        arguments=(
            Argument("action", choices=("show", "tail", "reconnect", "enable", "disable")),
            Argument("name", "feed"),
        ),
        options=(REASON,),
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
            REASON,
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
)
