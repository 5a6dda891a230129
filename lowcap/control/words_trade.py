"""Commands that trade, and those that stop trading."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, REASON, TRADE, Argument, Command, Option

TRADING: tuple[Command, ...] = (
    Command(
        "reconcile",
        "compare belief and exchange now; take over or ignore a position that is not ours",
        role=TRADE,
        options=(
            Option("adopt", "this symbol is ours from now on: stop, ladder, limits"),
            Option("stop", "with adopt: its stop, a price or a distance like 2%"),
            Option("ignore", "leave this symbol alone, and say no more of it"),
        ),
        examples=("reconcile", "reconcile --adopt SOL --stop 2%", "reconcile --ignore SOL"),
        danger="moderate",
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
            Argument("side", choices=("long", "short", "buy", "sell")),
        ),
        options=(
            Option("usd", "so many dollars", number=True),
            Option("qty", "so many coins", number=True),
            Option(
                "price",
                "at this price or better; what does not fill at once is dropped",
                number=True,
            ),
            Option("preview", "only say what would be sent, or why not", flag=True),
        ),
        examples=(
            "trade BTC long --usd 1000 --preview",
            "trade BTC buy --qty 0.5 --price 64000",
            "trade PEPE short --yes",
        ),
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
        "unlock",
        "lift the halt of a protection, the pause of a symbol, or an open breaker",
        role=TRADE,
        arguments=(Argument("name", "lock"),),
        options=(REASON,),
        examples=('unlock loss-streak --reason "stops were too tight"',),
    ),
    Command(
        "pause",
        "no new entries; exits, stops and ladders go on",
        role=TRADE,
        options=(Option("for", "lift by itself after 30s, 30m or 2h"), REASON),
        examples=("pause --for 30m --reason lunch",),
    ),
    Command(
        "resume",
        "take entries again; after halt or panic with a reason",
        role=TRADE,
        options=(REASON,),
        examples=("resume", 'resume --reason "feed is fine again"'),
    ),
    Command(
        "halt",
        "latched stop: resting entries cancelled, positions keep their stops",
        role=TRADE,
        options=(REASON,),
        examples=("halt --reason news",),
    ),
    Command(
        "panic",
        "halt, close every position of ours, prove that it is flat",
        role=TRADE,
        options=(
            REASON,
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
)
