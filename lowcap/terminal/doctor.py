"""``lowcapctl doctor``: asked for here, looked at in a room of its own."""

from __future__ import annotations

import os

from lowcap.control.protocol import Json
from lowcap.terminal.options import Options
from lowcap.terminal.unit import show_findings


def doctor(params: Json, options: Options) -> int:
    """Look at everything, a line each; 1 where something must be mended."""
    from lowcap.doctor.checkup import check_all
    from lowcap.doctor.findings import report

    places = options.places()
    found = check_all(places, str(params.get("config") or ""), os.environ)
    return show_findings(report(found), options)
