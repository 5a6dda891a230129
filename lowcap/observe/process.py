"""This process as the kernel sees it: /proc/self and rusage, nothing of the whole machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc/self")
_PAGE_BYTES = resource.getpagesize()


class ProcessNow(Struct, frozen=True, kw_only=True):
    """Processor time so far and what is held now; None where the kernel does not tell."""

    cpu_s: float
    rss_bytes: int | None
    open_files: int | None
    threads: int | None
    open_files_max: int


def read_process(proc: Path = _PROC) -> ProcessNow:
    """What the process uses at this moment."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return ProcessNow(
        cpu_s=used.ru_utime + used.ru_stime,
        rss_bytes=_resident_bytes(proc),
        open_files=_open_files(proc),
        threads=_threads(proc),
        open_files_max=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def _resident_bytes(proc: Path) -> int | None:
    try:
        return int((proc / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def _open_files(proc: Path) -> int | None:
    try:
        return len(os.listdir(proc / "fd"))
    except OSError:
        return None


def _threads(proc: Path) -> int | None:
    try:
        lines = (proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
