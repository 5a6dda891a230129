"""``lowcapctl doctor``: asked for here, looked at in a room of its own."""

from __future__ import annotations

import os
from typing import Protocol

from lowcap.control.client import socket_candidates
from lowcap.control.protocol import Json
from lowcap.terminal.unit import show_findings


class Asked(Protocol):
    """What of the common options matters here."""

    as_json: bool
    colour: str
    socket: str


def doctor(params: Json, options: Asked) -> int:
    """Look at everything, a line each; 1 where something must be mended."""
    from lowcap.doctor.checkup import check_all
    from lowcap.doctor.findings import report

    places = socket_candidates(options.socket, os.environ)
    found = check_all(places, str(params.get("config") or ""), os.environ)
    return show_findings(report(found), options)
