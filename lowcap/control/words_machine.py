"""Commands about the machine and the installation; they need no daemon."""

from __future__ import annotations

from lowcap.control.entry import Argument, Command, Option

MACHINE: tuple[Command, ...] = (
    Command(
        "doctor",
        "what is right and wrong with this machine, network, keys and installation",
        options=(Option("config", "this configuration file, not that of the service"),),
        examples=("doctor", "doctor --json"),
        local="doctor:doctor",
    ),
    Command(
        "unit",
        "the shipped systemd files: print one for your paths, or check those that are installed",
        arguments=(
            Argument("action", choices=("print", "check")),
            Argument("file", required=False),
        ),
        options=(
            Option("prefix", "the virtual environment, /opt/lowcap where nothing is said"),
            Option("config", "the configuration file that the service reads"),
            Option("user", "the user that the service runs as"),
        ),
        examples=(
            "unit print > /etc/systemd/system/lowcapd.service",
            "unit print lowcapd.socket",
            "unit print --prefix /srv/lowcap --instance paper",
            "unit check",
        ),
        local="unit:unit",
    ),
)
