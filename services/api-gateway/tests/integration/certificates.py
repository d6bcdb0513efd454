"""Certificates for tests, made by openssl."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from shared.testing.processes import program


def make_pair(folder: Path, name: str) -> Path:
    """Make `tls.crt` and `tls.key` of a server called `name` in a folder below; return that folder."""
    made = folder / name
    made.mkdir(parents=True)
    command = [program("openssl", package="openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(made / "tls.key"), "-out", str(made / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True)
    return made


def mount(target: Path, *, certificate: Path, key: Path | None = None) -> None:
    """Put a pair where the gateway looks, both files at once, as a Secret's volume does."""
    content = Path(tempfile.mkdtemp(dir=target.parent))
    shutil.copy(certificate / "tls.crt", content)
    shutil.copy((key or certificate) / "tls.key", content)
    link = target.with_suffix(".next")
    link.symlink_to(content)
    link.replace(target)


def served(port: int, *, trust: Path | None = None, protocols: list[str] | None = None) -> tuple[bytes, str | None]:
    """Return the certificate (DER) that is served on `port`, and the application protocol that was agreed on."""
    context = ssl.create_default_context(cafile=None if trust is None else str(trust / "tls.crt"))
    if trust is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(protocols or ["http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        return secure.getpeercert(binary_form=True) or b"", secure.selected_alpn_protocol()
