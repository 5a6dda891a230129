"""Commands for shells and scripts: yes or no, waiting, completion, help."""

from __future__ import annotations

from lowcap.control.entry import Argument, Command

SHELL: tuple[Command, ...] = (
    Command(
        "is-armed",
        "says by its exit code whether orders may be sent: 0 yes, 3 no",
        examples=("is-armed && echo armed",),
        local="probes:is_armed",
    ),
    Command(
        "is-flat",
        "says by its exit code whether nothing is open, no position and no order: 0 yes, 3 no",
        examples=("is-flat || lowcapctl close --all --yes", "is-flat --json"),
        local="probes:is_flat",
    ),
    Command(
        "is-healthy",
        "says by its exit code whether all is as it should be: 0 yes, 3 no; --json says why",
        examples=("is-healthy --json", "is-healthy || systemctl status lowcapd"),
        local="probes:is_healthy",
    ),
    Command(
        "wait",
        "wait until the daemon is ready, all is flat, a feed is up, or an order has ended",
        arguments=(
            Argument("what", choices=("ready", "flat", "feed", "order")),
            Argument("name", "waited", required=False),
        ),
        examples=(
            "wait ready --timeout 30",
            "wait flat",
            "wait feed tokyo",
            "wait order lcd-1-42-e",
        ),
        local="probes:wait",
    ),
    Command(
        "completion",
        "print the completion script of a shell",
        arguments=(Argument("shell", choices=("bash", "zsh", "fish")),),
        examples=("completion bash > ~/.local/share/bash-completion/completions/lowcapctl",),
        local="shells:completion",
    ),
    Command(
        "help",
        "what there is; one command with examples; or a topic",
        arguments=(Argument("topic", "topic", required=False),),
        examples=("help", "help panic", "help exit-codes"),
        local="topics:help_page",
    ),
)
