"""systemctl where there is no PID 1: it reads the installed units and does as they say.

    systemctl_stand_in.py ROOT WORDS…

Under ROOT lies a tree like that of a server. A service is started with the
folders, the environment and the keys that its unit names, and is started when
it says READY=1, as Type=notify means it. daemon-reload puts ROOT before the
paths of the units and has systemd-analyze read them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lowcap.doctor.units import directives

READY_WITHIN_S, STOP_WITHIN_S = 60.0, 30.0
ROOT = Path(sys.argv[1])
UNITS = ROOT / "etc/systemd/system"
# What a prefix may stand before; everything else in a unit is the machine's own.
PATHS = re.compile(r"(?<![\w/.])/(opt|etc/lowcap|var/lib|run/lowcap)(?=[/\w@%-])")


def main(words: list[str]) -> int:
    options = [word for word in words if word.startswith("-")]
    verb, *units = [word for word in words if not word.startswith("-")]
    units = [unit if "." in unit else f"{unit}.service" for unit in units]
    services = [unit for unit in units if unit.endswith(".service")]
    if verb == "daemon-reload":
        return reload_units()
    if verb == "is-active":
        alive = all(pid_of(unit) for unit in services)
        print("active" if alive else "inactive")
        return 0 if alive else 3
    if "--now" in options or verb in ("start", "stop", "restart"):
        for unit in units:
            assert file_of(unit).is_file(), f"{unit} is not installed"
        for unit in services:
            if verb in ("disable", "stop", "restart"):
                stop(unit)
            if verb in ("enable", "start", "restart"):
                start(unit)
        return 0
    raise SystemExit(f"the stand-in knows no {verb}")


def file_of(unit: str) -> Path:
    return UNITS / re.sub(r"@[^.]+\.", "@.", unit)


def reload_units() -> int:
    for path in [*UNITS.glob("lowcapd*"), *UNITS.glob("lowcapd*.d/*.conf")]:
        if path.is_file():
            path.write_text(PATHS.sub(rf"{ROOT}/\1", path.read_text()))
    units = [str(path) for path in sorted(UNITS.glob("lowcapd*")) if path.is_file()]
    if not units or shutil.which("systemd-analyze") is None:
        return 0
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    print(done.stderr, end="", file=sys.stderr)
    return 1 if done.stderr else done.returncode


def start(unit: str) -> None:
    assert pid_of(unit) is None, f"{unit} runs already"
    drop_ins = sorted((UNITS / f"{file_of(unit).name}.d").glob("*.conf"))
    text = "\n".join(part.read_text() for part in (file_of(unit), *drop_ins))
    instance = unit.partition("@")[2].removesuffix(".service")
    said = {key: values for (_, key), values in directives(text.replace("%i", instance)).items()}
    environ = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL")}
    environ |= {k: v for k, v in os.environ.items() if k.startswith("LOWCAP_") and "__" in k}
    for name, base in (("State", "var/lib"), ("Runtime", "run"), ("Configuration", "etc")):
        folder = ROOT / base / said[f"{name}Directory"][-1]
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(int(said.get(f"{name}DirectoryMode", ["0755"])[-1], 8))
        environ[f"{name.upper()}_DIRECTORY"] = str(folder)
    if keys := said.get("LoadCredential"):
        environ["CREDENTIALS_DIRECTORY"] = str(hand_over(unit, keys))
    notify = ROOT / "run" / f"{unit}.notify"
    notify.unlink(missing_ok=True)
    usec = int(said["WatchdogSec"][-1]) * 1_000_000
    environ |= {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": str(usec)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(notify))
        with (ROOT / "run" / f"{unit}.log").open("a") as log:
            child = subprocess.Popen(
                said["ExecStart"][-1].split(),
                cwd=said["WorkingDirectory"][-1],
                env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        (ROOT / "run" / f"{unit}.pid").write_text(str(child.pid))
        give_up_s = time.monotonic() + READY_WITHIN_S
        heard.settimeout(1)
        while time.monotonic() < give_up_s and child.poll() is None:
            try:
                if b"READY=1" in heard.recv(65_536).split(b"\n"):
                    return
            except TimeoutError:
                continue
    raise SystemExit(f"{unit} did not say READY=1: {Path(log.name).read_text()[-2_000:]}")


def hand_over(unit: str, keys: list[str]) -> Path:
    folder = ROOT / "run" / "credentials" / unit
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for line in keys:
        name, _, path = line.partition(":")
        shutil.copyfile(path, folder / name)
        (folder / name).chmod(0o400)
    return folder


def stop(unit: str) -> None:
    pid = pid_of(unit)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    give_up_s = time.monotonic() + STOP_WITHIN_S
    while pid_of(unit) is not None:
        assert time.monotonic() < give_up_s, f"{unit} does not leave"
        time.sleep(0.05)


def pid_of(unit: str) -> int | None:
    """The process of a unit; None where it has ended."""
    try:
        pid = int((ROOT / "run" / f"{unit}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
