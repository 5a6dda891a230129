"""A folder with a configuration of its own, and how it loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowcap.config import load, shipped
from lowcap.core.errors import ConfigError
from lowcap.settings import Settings

SHIPPED = shipped("config.toml").read_text(encoding="utf-8")


class Room:
    """A folder with a config.toml, and how it loads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "config.toml"
        self.path.write_text(SHIPPED, encoding="utf-8")

    def change(self, old: str, new: str) -> None:
        text = self.path.read_text(encoding="utf-8")
        assert old in text, old
        self.path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def add(self, name: str, text: str) -> None:
        (self.folder / "config.d").mkdir(exist_ok=True)
        (self.folder / "config.d" / name).write_text(text, encoding="utf-8")

    def load(self, **environ: str) -> Settings:
        return load(self.path, environ)[0]

    def faults(self, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(self.path, environ)
        return caught.value.faults
