"""The Debian base image, and what of this machine's set-up an image build needs: package sources, proxy, own CA."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from smartcourse_dev import docker
from smartcourse_dev.settings import CACHE
from smartcourse_dev.shell import Log, StepError, capture

SUITE = "bookworm"
RECIPE = "1"  # raise when what `build_base` does changes
AUTHORITIES = Path("/usr/local/share/ca-certificates")
LOGIN = re.compile(r"://[^/@\s]*@")
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "default-timeout")


def install_packages(log: Log, packages: list[str]) -> None:
    """Install Debian packages on this machine without starting their services.

    Raises:
        StepError: this is no Debian, or not root.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StepError(f"{', '.join(packages)}: wanted, and only root on Debian can install it here",
                        remedy=f"install {' '.join(packages)}, or run as root on Debian 12")  # fmt: skip
    apt = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    log.run("apt-get", "update", "-qq", env=apt)
    log.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=apt)


def own_authorities() -> list[Path]:
    """Certificates of authorities that this machine trusts beyond Debian's."""
    return sorted(AUTHORITIES.rglob("*.crt")) if AUTHORITIES.is_dir() else []


def package_sources() -> str:
    """Return this machine's package sources when it runs the same Debian; "" stands for mmdebstrap's default."""
    release = Path("/etc/os-release").read_text("utf-8") if Path("/etc/os-release").exists() else ""
    if f"VERSION_CODENAME={SUITE}" not in release or "\nID=debian" not in f"\n{release}":
        return ""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if path.exists() and "deb" in (text := path.read_text("utf-8")):
            return text
    return ""


def package_proxy() -> list[str]:
    """Return apt's own proxy settings, as apt configuration lines."""
    if not shutil.which("apt-config"):
        return []
    lines = capture(
        "apt-config", "dump", "--format", '%F "%v";%n', "Acquire::http::Proxy", "Acquire::https::Proxy"
    ).splitlines()
    return [line for line in lines if not line.endswith('"";')]


def pip_configuration() -> str:
    """Return a pip.conf with this machine's package index, if it names one, and its authorities.

    A user and password in the index's URL are left out: what is in an image can be read by all who can pull it.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout  # fmt: skip
    options = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in PIP_OPTIONS:
            options[option] = LOGIN.sub("://", value.strip("'\""))
    if own_authorities():
        options["cert"] = "/etc/ssl/certs/ca-certificates.crt"
    return "[global]\n" + "".join(f"{option} = {value}\n" for option, value in sorted(options.items()))


def base_inputs() -> str:
    """Return 12 hex digits over everything that the base image is made from."""
    parts = [RECIPE, SUITE, package_sources(), *package_proxy(), pip_configuration()]
    parts += [path.read_text("utf-8", errors="replace") for path in own_authorities()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def build_base(log: Log, reference: str) -> None:
    """Make the base image: Debian's minimal system with ca-certificates and this machine's authorities."""
    if not shutil.which("mmdebstrap"):
        install_packages(log, ["mmdebstrap"])
    work = CACHE / "debian"
    work.mkdir(parents=True, exist_ok=True)
    archive = work / "base.tar"
    pip = work / "pip.conf"
    pip.write_text(pip_configuration(), encoding="utf-8")
    sources = work / "debian.sources"
    sources.write_text(package_sources(), encoding="utf-8")
    mirrors = [str(sources)] if package_sources() else []
    hooks = [f"--customize-hook=copy-in {path} /usr/local/share/ca-certificates" for path in own_authorities()]
    hooks += ["--customize-hook=chroot $1 update-ca-certificates", f"--customize-hook=copy-in {pip} /etc"]
    # Downloaded packages and documentation would only be dead weight in every image.
    hooks += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]
    log.run(
        "mmdebstrap", "--variant=minbase", "--include=ca-certificates",
        *[f"--aptopt={line}" for line in package_proxy()], *hooks, SUITE, str(archive), *mirrors,
    )  # fmt: skip
    log.run(*docker.command(
        "import", "--change", f"LABEL {docker.INPUTS_LABEL}={base_inputs()}",
        "--change", "ENV DEBIAN_FRONTEND=noninteractive", "--change", 'CMD ["bash"]', str(archive), reference,
    ))  # fmt: skip
    archive.unlink()
