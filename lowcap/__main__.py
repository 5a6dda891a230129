"""``lowcapd``: the daemon and the offline tools beside it."""

from __future__ import annotations

import decimal
import os
import sys
from pathlib import Path

import click

from lowcap import __version__
from lowcap.core.errors import ConfigError, LowcapError

AS_OF_HELP = (
    "show this time, as 2026-02-06T13:29:50Z; programs that share a clock all get "
    "TIME@SECONDS, the machine time (date +%s.%N) at which it is that time"
)
EXIT_INTERNAL, EXIT_UNAVAILABLE, EXIT_CONFIG = 70, 75, 78


@click.group(invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def cli(context: click.Context) -> None:
    """News in, protected positions out. Without a command: run."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@cli.command()
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="configuration file")
@click.option("--as-of", help=AS_OF_HELP + " (dry mode only)")
@click.option("--market", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="capture whose market lines move the built-in exchange")  # fmt: skip
@click.option("--once", is_flag=True, help="start, agree with the venue, leave; 75 if it is away")
@click.option("--wait", "wait_s", default=30.0, show_default=True, help="seconds, with --once")
def run(
    config_path: Path | None = None,
    as_of: str | None = None,
    market: tuple[Path, ...] = (),
    once: bool = False,
    wait_s: float = 30.0,
) -> None:
    """Run the daemon (dry mode unless the configuration says otherwise)."""
    from lowcap.programs.run import run_program

    sys.exit(run_program(config_path, as_of, market, once_wait_s=wait_s if once else None))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(file: Path | None) -> None:
    """Check a configuration; lists every fault, exit 78 if there is one."""
    from lowcap.config import find_config, load
    from lowcap.config_types import HINT
    from lowcap.config_where import check_files

    path = file or find_config(os.environ)
    if faults := check_files(path, os.environ):
        raise ConfigError([fault.told for fault in faults], hint=HINT)
    settings, digest = load(path, os.environ)
    on = sum(trigger.enabled for trigger in settings.trigger)
    click.echo(
        f"{path}: fine ({settings.mode} mode, {len(settings.feed)} feeds, "
        f"{on} of {len(settings.trigger)} triggers on, hash {digest})"
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0: any free one")
@click.option("--seed", default=1, show_default=True, help="of the random walk")
@click.option("--wallet", default="1000000", show_default=True, help="USDT to begin with")
@click.option("--step-bps", default=2.0, show_default=True, help="typical move a tick, 1/100 %")
@click.option("--tick-ms", default=1000, show_default=True, help="prices move this often")
@click.option("--credentials", type=click.Path(path_type=Path), required=True,
              help="folder for api-key and api-secret; made there if missing")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path), help="file that keeps the account")
@click.option("--market", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="capture whose market lines dictate prices")  # fmt: skip
@click.option("--upstream", default="", help="stream base of a venue to follow")
@click.option("--jump-chance", default=0.0, show_default=True, help="of a jump, per symbol, tick")
@click.option("--jump-bps", default=300.0, show_default=True, help="size of a jump, 1/100 %")
@click.option("--gap-chance", default=0.0, show_default=True, help="of silence, per symbol, tick")
@click.option("--gap-ticks", default=30, show_default=True, help="length of a silence")
@click.option("--limits-times", default=1, show_default=True,
              help="so many times the usual request limits")  # fmt: skip
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="file of [[fault]] tables, docs/exchange.md")  # fmt: skip
@click.option("--as-of", help=AS_OF_HELP)
def exchange(
    host: str,
    port: int,
    seed: int,
    wallet: str,
    step_bps: float,
    tick_ms: int,
    credentials: Path,
    state: Path | None,
    market: tuple[Path, ...],
    upstream: str,
    jump_chance: float,
    jump_bps: float,
    gap_chance: float,
    gap_ticks: int,
    limits_times: int,
    faults: Path | None,
    as_of: str | None,
) -> None:
    """Run the exchange simulator as a server of its own."""
    from lowcap.paper.prices import Upsets
    from lowcap.programs.exchange import ExchangeOptions, exchange_program

    upsets = Upsets(
        jump_chance=jump_chance, jump_bps=jump_bps, gap_chance=gap_chance, gap_ticks=gap_ticks
    )
    options = ExchangeOptions(
        host=host,
        port=port,
        seed=seed,
        wallet=decimal.Decimal(wallet),
        step_bps=step_bps,
        tick_s=tick_ms / 1000,
        credentials=credentials,
        state=state,
        market=market,
        upstream=upstream,
        faults=faults,
        limits_times=limits_times,
        upsets=upsets if jump_chance or gap_chance else None,
        as_of=as_of,
    )
    sys.exit(exchange_program(options))


@cli.command()
@click.argument("captures", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--fault", "faults", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="capture of fault lines that are played as well")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0: any free one")
@click.option("--speed", type=float, help="play from the first client on, at this pace")
@click.option("--as-of", help=AS_OF_HELP + "; frames go out at their own times")
def feedserver(
    captures: tuple[Path, ...],
    faults: tuple[Path, ...],
    host: str,
    port: int,
    speed: float | None,
    as_of: str | None,
) -> None:
    """Play captures as the news feeds: ws://HOST:PORT/FEED. Without --as-of, at --speed 1."""
    from lowcap.programs.feedserver import feedserver_program

    pace = speed if speed is not None else (None if as_of else 1.0)
    sys.exit(feedserver_program(captures + faults, host, port, pace, as_of))


@cli.command()
@click.argument("frames", type=click.Path(path_type=Path, exists=True, allow_dash=True),
                required=False)  # fmt: skip
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="configuration file")
@click.option("--universe", type=click.Path(path_type=Path, exists=True),
              help="JSON file with the coins that can be traded")  # fmt: skip
@click.option("--stateless", is_flag=True, help="judge every frame alone, at its own time")
def detect(
    frames: Path | None, config_path: Path | None, universe: Path | None, stateless: bool
) -> None:
    """Judge FRAMES (JSON lines with feed and frame) or standard input; a JSON line for each.

    Without --stateless the frames are one stream: freshness by t_ms, dedupe
    and cool-down hold, and every signal counts as traded.
    """
    from lowcap.config import load
    from lowcap.programs.detect import detect_program

    settings, _ = load(config_path, os.environ)
    sys.exit(detect_program(frames, settings, universe, stateless=stateless))


@cli.command()
@click.argument("captures", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="configuration file")
@click.option("--json", "as_json", is_flag=True, help="one JSON document instead of tables")
@click.option("--seed", type=int, help="of chance and of prices that were not recorded")
def replay(
    captures: tuple[Path, ...], config_path: Path | None, as_json: bool, seed: int | None
) -> None:
    """Run a recorded session through the whole daemon, in a moment: trades, result, own work."""
    from lowcap.programs.replay import replay_program

    sys.exit(replay_program(captures, config_path, as_json=as_json, seed=seed))


@cli.command()
@click.option("--keep", type=click.Path(path_type=Path), help="keep ledger and logs in this folder")
def demo(keep: Path | None) -> None:
    """Trade the shipped captures before your eyes: exchange, feeds and daemon on loopback."""
    from lowcap.programs.demo import demo_program

    sys.exit(demo_program(keep))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON document instead of lines")
def selftest(as_json: bool) -> None:
    """Trade one frame through the whole daemon, offline: fill, stop, flat. Exit 1 if it does not.

    The shipped configuration, the built-in exchange, virtual time; nothing is touched.
    """
    from lowcap.programs.selftest import selftest_program

    sys.exit(selftest_program(as_json=as_json))


def main() -> None:
    """Entry point of ``lowcapd``."""
    decimal.getcontext().traps[decimal.FloatOperation] = True
    try:
        cli.main(prog_name="lowcapd", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except ConfigError as error:
        report_config(error)
        sys.exit(EXIT_CONFIG)
    except LowcapError as error:
        report(error)
        sys.exit(EXIT_CONFIG if error.code == "credentials" else EXIT_UNAVAILABLE)


def report(error: LowcapError) -> None:
    """One error and its hint, on stderr."""
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def report_config(error: ConfigError) -> None:
    """Every fault of a configuration, on stderr."""
    for fault in error.faults:
        click.echo(f"error: {fault}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


if __name__ == "__main__":
    main()
