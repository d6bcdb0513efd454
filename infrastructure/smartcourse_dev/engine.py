"""The Docker engine: the one that runs, or Debian's, installed and started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from smartcourse_dev import debian, docker, golang
from smartcourse_dev.settings import LOGS
from smartcourse_dev.shell import Log, StepError

PACKAGES = ["docker.io", "containerd", "runc", "iptables", "iproute2", "kmod", "ca-certificates", "mmdebstrap"]
START_TIMEOUT_SECONDS = 60
CAP_SYS_RESOURCE = 24
DAEMON_LOG = LOGS / "dockerd.log"
CONFIGURATION = Path("/etc/docker/daemon.json")
WRAPPER = Path("/usr/local/bin/runc-capped")
PID_FILES = {"dockerd": Path("/var/run/docker.pid"),
             "containerd": Path("/var/run/docker/containerd/containerd.pid")}  # fmt: skip


def lacks_capability(status: str) -> bool:
    """Whether the bounding set in a `/proc/<pid>/status` text lacks CAP_SYS_RESOURCE."""
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1


def needs_wrapper() -> bool:
    status = Path("/proc/self/status")
    return status.exists() and lacks_capability(status.read_text("utf-8"))


def ensure(log: Log) -> None:
    """Leave a Docker engine running that outlives this command.

    Raises:
        StepError: there is none and none can be installed or started here.
    """
    if docker.is_reachable():
        return
    if os.geteuid() != 0:
        raise StepError(
            "no Docker engine answers, and only root can start one", remedy="start Docker, or run as root on Debian 12"
        )
    if not shutil.which("dockerd"):
        debian.install_packages(log, PACKAGES)
    configure(log)
    start(log)


def configure(log: Log) -> None:
    """Name the runtime wrapper in the daemon's configuration, on a host that needs it; the rest of it is kept."""
    if not needs_wrapper():
        return
    partial = WRAPPER.with_suffix(".partial")
    shutil.copy2(golang.output("tools") / "runc-capped", partial)
    partial.replace(WRAPPER)
    settings = json.loads(CONFIGURATION.read_text("utf-8")) if CONFIGURATION.exists() else {}
    settings.setdefault("runtimes", {})["capped"] = {"path": str(WRAPPER)}
    settings["default-runtime"] = "capped"
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    log.write(f"{CONFIGURATION}: containers run through {WRAPPER}, for this host can't grant CAP_SYS_RESOURCE")


def start(log: Log) -> None:
    if Path("/run/systemd/system").is_dir():
        log.run("systemctl", "enable", "--now", "docker")
    else:
        forget_dead_daemons(log)
        LOGS.mkdir(parents=True, exist_ok=True)
        with DAEMON_LOG.open("ab") as output:
            subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
            )
    wait_for_answer(log)


def forget_dead_daemons(log: Log) -> None:
    """Remove pid files that a killed daemon left: their number may be another process's by now."""
    for name, path in PID_FILES.items():
        if path.exists() and not is_process(path.read_text("utf-8").strip(), name):
            log.write(f"{path} names no {name}: removed")
            path.unlink()


def is_process(pid: str, name: str) -> bool:
    comm = Path("/proc") / pid / "comm"
    return pid.isdecimal() and comm.exists() and comm.read_text("utf-8").strip() == name


def wait_for_answer(log: Log) -> None:
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < until:
        if docker.is_reachable():
            return
        log.wait(0.5)
    last = DAEMON_LOG.read_text("utf-8", errors="replace").splitlines()[-3:] if DAEMON_LOG.exists() else []
    raise StepError(f"dockerd did not answer within {START_TIMEOUT_SECONDS} s; it said last: {' / '.join(last)}",
                    remedy=f"read {DAEMON_LOG}")  # fmt: skip
