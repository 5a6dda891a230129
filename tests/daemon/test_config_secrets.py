"""What must not be told is not told: neither in the ledger nor to who looks at the settings."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from lowcap.core.errors import LowcapError
from lowcap.settings import Notify, NotifySink
from tests.daemon.stage import Stage, ask, in_virtual_time, settings_for

HIDDEN = "s3cr3t-value"
HOOK = f"https://hooks.example/{HIDDEN}?token={HIDDEN}"


@pytest.mark.parametrize(
    "key",
    [
        *("credentials.api-key", "credentials.api-secret", "notify.sink.hook.url"),
        *('notify.sink.hook."token"', "exchange.credentials_dir", "nosuch.key", "a..b"),
    ],
)
def test_a_value_that_is_refused_does_not_stand_in_the_ledger(tmp_path: Path, key: str) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            with pytest.raises(LowcapError) as failure:
                await ask(commands, "config", action="set", what=key, value=HIDDEN)
            assert HIDDEN not in failure.value.message

    in_virtual_time(main, tmp_path)
    for path in (tmp_path / "state" / "ledger").glob("*.log"):
        assert HIDDEN.encode() not in path.read_bytes()


def test_the_path_of_a_web_hook_is_not_shown(tmp_path: Path) -> None:
    sink = NotifySink(kind="webhook", url=HOOK)
    settings = settings_for(tmp_path / "state", notify=Notify(sink={"hook": sink}))

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            for params in ({"action": "show"}, {"action": "show", "what": "notify.sink"}):
                rows = await ask(commands, "config", **params)
                assert any(row["key"] == "notify.sink.hook.url" for row in rows)
                assert HIDDEN not in str(rows)
            for form in (None, "json"):
                assert HIDDEN not in str(
                    await ask(commands, "config", action="export", format=form)
                )

    in_virtual_time(main, tmp_path, settings)
    assert attrs.evolve(sink).url == HOOK
