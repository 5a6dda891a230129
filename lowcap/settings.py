"""config.toml as frozen settings: what can be set, its type, unit and built-in default."""

from __future__ import annotations

from decimal import Decimal

from attrs import Factory, frozen

from lowcap.detection.matchers.payroll import PayrollPolicy
from lowcap.detection.trigger import Trigger


@frozen(kw_only=True)
class State:
    """Where the daemon keeps its ledger, lock and paper account; empty means the usual place."""

    dir: str = ""
    keep_days: int = 90


@frozen(kw_only=True)
class Control:
    """The operator's socket; empty means the usual place."""

    socket: str = ""


@frozen(kw_only=True)
class ExchangeSettings:
    """URLs of the venue. All empty in dry mode: the built-in exchange."""

    rest_url: str = ""
    ws_api_url: str = ""
    stream_url: str = ""
    credentials_dir: str = ""


@frozen(kw_only=True)
class Paper:
    """The built-in exchange. With ``upstream_url`` its prices are those of that venue's streams."""

    wallet_usdt: Decimal = Decimal(1_000_000)
    seed: int = 1
    tick_ms: int = 1_000
    step_bps: Decimal = Decimal(2)
    port: int = 0
    upstream_url: str = ""


@frozen(kw_only=True)
class Feed:
    """One news source.

    ``auth`` says how the key is shown: ``none``, ``login`` (a text frame),
    ``header`` (x-api-key), ``query`` (apiKey in the address) or ``bearer``.
    The key comes from the credentials directory (``feed-NAME``), from
    ``key_file``, or from the environment variable that ``key_env`` names.
    No frame for ``idle_s``: reconnect; no news for ``stale_s``: reported
    stale. ``renew_h`` hours after connecting it reconnects on its own, never
    on a weekday within ``hold_open`` (New York, like ``08:25-08:36``).
    ``poll_s`` is the interval of a source that is asked (format ``upbit``).
    """

    url: str
    format: str
    enabled: bool = True
    auth: str = "none"
    key_file: str = ""
    key_env: str = ""
    text_ping_s: int = 0
    ping_s: int = 15
    idle_s: int = 90
    stale_s: int = 0
    renew_h: int = 0
    hold_open: str = ""
    poll_s: int = 5


@frozen(kw_only=True)
class Caps:
    """Market capitalisations from CoinGecko, for the size tiers.

    The first page is asked for every ``interval_s``, the others every
    ``rest_h`` hours, at most ``calls_per_min_max`` calls a minute.
    """

    url: str = "https://api.coingecko.com/api/v3"
    enabled: bool = True
    key_file: str = ""
    key_env: str = ""
    interval_s: int = 300
    pages: int = 8
    rest_h: int = 6
    calls_per_min_max: int = 10


@frozen(kw_only=True)
class Orders:
    """How orders are priced and how long the venue may take them.

    An entry that the venue refuses for its margin or its price is tried again
    up to ``retries_max`` times: half as large, or with a collar that is
    ``retry_backoff`` times as wide, up to ``max_retry_slippage_pct``.
    """

    collar_pct: Decimal = Decimal("1.5")
    max_retry_slippage_pct: Decimal = Decimal(5)
    retry_backoff: Decimal = Decimal("1.5")
    retries_max: int = 2
    entry_recv_window_ms: int = 1_000
    exit_recv_window_ms: int = 2_000
    reply_timeout_ms: int = 1_500


@frozen(kw_only=True)
class Sizing:
    """Dollar amounts before limits.

    ``tiers`` are pairs of a capitalisation in USD and the size from there up,
    largest first. ``unknown_usd`` is for a coin without a known
    capitalisation, ``default_usd`` while no usable table is loaded.
    ``signal_usd_max`` caps all symbols of one signal together. ``partial``:
    where a limit allows less than was wished for, take what it allows; else refuse.
    """

    scale: Decimal = Decimal(1)
    partial: bool = True
    default_usd: Decimal = Decimal(14_567)
    unknown_usd: Decimal = Decimal(25_000)
    signal_usd_max: Decimal = Decimal(1_000_000)
    tiers: tuple[tuple[Decimal, Decimal], ...] = (
        (Decimal(100_000_000_000), Decimal(500_000)),
        (Decimal(10_000_000_000), Decimal(350_000)),
        (Decimal(1_000_000_000), Decimal(150_000)),
        (Decimal(100_000_000), Decimal(50_000)),
        (Decimal(10_000_000), Decimal(20_000)),
        (Decimal(0), Decimal(10_000)),
    )
    symbol_usd: dict[str, Decimal] = Factory(dict)


@frozen(kw_only=True)
class Leverage:
    """The ceiling; a bracket or the stop distance may ask for less."""

    max: int = 20


@frozen(kw_only=True)
class Limits:
    """What the gate never lets an entry exceed. 0 turns those from ``losing_streak_max`` on off.

    ``losing_streak_max`` positions closed at a loss in a row, equity at or
    below ``equity_floor_usd``, or ``drawdown_pct_max`` below its highest of
    the day halt the daemon, as ``day_loss_usd_max`` does. A trigger that led
    to entries ``executions_per_hour_max`` times in an hour is turned off by
    the next. ``feed_notional_usd_max`` bounds what is open from one feed.
    """

    order_notional_usd_max: Decimal
    position_notional_usd_max: Decimal
    gross_notional_usd_max: Decimal
    open_positions_max: int
    day_loss_usd_max: Decimal
    entries_per_s_max: int = 5
    entries_per_min_max: int = 30
    margin_pct_max: Decimal = Decimal(30)
    price_age_ms_max: int = 3_000
    mark_last_pct_max: Decimal = Decimal(1)
    losing_streak_max: int = 3
    equity_floor_usd: Decimal = Decimal(0)
    drawdown_pct_max: Decimal = Decimal(10)
    entries_per_hour_max: int = 60
    entries_per_day_max: int = 300
    executions_per_hour_max: int = 3
    feed_notional_usd_max: Decimal = Decimal(2_000_000)


@frozen(kw_only=True)
class Protect:
    """How a position is protected; distances in per cent of the entry price, or of the mark.

    The stop is laid at ``stop_pct`` from the entry; with ``atr_multiple`` at
    so many average true ranges (14 minutes), at most ``atr_pct_max``. After
    the first leg it follows the best mark price at ``trail_pct`` (0: it does
    not), or at the same number of ranges, in moves of ``trail_step_pct`` or
    more. After ``time_exit_s`` seconds the position is closed (0: never).
    """

    stop_pct: Decimal = Decimal(2)
    stop_deadline_ms: int = 3_000
    atr_multiple: Decimal = Decimal(0)
    atr_pct_max: Decimal = Decimal(5)
    trail_pct: Decimal = Decimal("1.5")
    trail_step_pct: Decimal = Decimal("0.2")
    time_exit_s: int = 0
    ladder: tuple[tuple[Decimal, Decimal], ...] = (
        (Decimal(50), Decimal(2)),
        (Decimal(30), Decimal(4)),
        (Decimal(20), Decimal(8)),
    )


@frozen(kw_only=True)
class ProtectGroup:
    """What is different for some symbols; whatever is absent is as in ``protect``."""

    symbols: tuple[str, ...]
    stop_pct: Decimal | None = None
    atr_multiple: Decimal | None = None
    atr_pct_max: Decimal | None = None
    trail_pct: Decimal | None = None
    trail_step_pct: Decimal | None = None
    time_exit_s: int | None = None
    ladder: tuple[tuple[Decimal, Decimal], ...] | None = None


@frozen(kw_only=True)
class Shutdown:
    """What becomes of open positions at the end: ``keep`` with their stops, or ``flatten``."""

    positions: str = "keep"


@frozen(kw_only=True)
class Log:
    """How much the log says: debug, info, warning or error."""

    level: str = "info"


@frozen(kw_only=True)
class LatencySettings:
    """Targets of stages in milliseconds, where they are to be other than the shipped ones."""

    target_ms: dict[str, Decimal] = Factory(dict)


@frozen(kw_only=True)
class Metrics:
    """Where the metrics file is written every 15 s for a collector; empty: nowhere."""

    textfile: str = ""


@frozen(kw_only=True)
class NotifySink:
    """Where alerts go. ``kind``: pushover, telegram, webhook (``url``) or exec (``command``).

    The token comes from the credentials directory (``notify-NAME-token``),
    from ``key_file`` or from the variable that ``key_env`` names; so does
    Pushover's user key (``notify-NAME-user``, ``user_file``, ``user_env``).
    ``chat`` is Telegram's. No ``events`` are all; what is absent of
    ``min_level``, ``quiet_hours`` and ``coalesce_s`` is as in ``notify``.
    """

    kind: str
    url: str = ""
    command: tuple[str, ...] = ()
    chat: str = ""
    key_file: str = ""
    key_env: str = ""
    user_file: str = ""
    user_env: str = ""
    enabled: bool = False
    events: tuple[str, ...] = ()
    min_level: str | None = None
    quiet_hours: str | None = None
    coalesce_s: int | None = None


@frozen(kw_only=True)
class Notify:
    """What is told to all sinks: from ``level`` up, outside of ``quiet_hours`` (critical always).

    After an alert, others like it are counted for ``coalesce_s`` seconds and
    told in one line; 0: each by itself. ``daily`` is when the day is summed up.
    """

    level: str = "info"
    coalesce_s: int = 60
    quiet_hours: str = ""
    daily: str = ""
    sink: dict[str, NotifySink] = Factory(dict)


@frozen(kw_only=True)
class Settings:
    """The whole configuration."""

    limits: Limits
    mode: str = "dry"
    state: State = State()
    control: Control = Control()
    exchange: ExchangeSettings = ExchangeSettings()
    paper: Paper = Paper()
    caps: Caps = Caps()
    order: Orders = Orders()
    sizing: Sizing = Sizing()
    leverage: Leverage = Leverage()
    protect: Protect = Protect()
    protect_for: dict[str, ProtectGroup] = Factory(dict)
    shutdown: Shutdown = Shutdown()
    log: Log = Log()
    latency: LatencySettings = Factory(LatencySettings)
    metrics: Metrics = Metrics()
    notify: Notify = Factory(Notify)
    payroll: PayrollPolicy = Factory(PayrollPolicy)
    hedge: tuple[str, ...] = ()
    feed: dict[str, Feed] = Factory(dict)
    trigger: tuple[Trigger, ...] = ()
    coin_overrides: dict[str, str] = Factory(dict)
