"""The charts that the operator has: its own, those of the newest release, and those of earlier ones, packed.

A digest names charts by the content of their files, behind symbolic links too, whether they are packed or not.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from smartcourse_operator.adapters.helm import Chart
from smartcourse_operator.core.fitting import schema_of
from smartcourse_operator.core.versions import Release

Files = Mapping[str, bytes]
"""Content by path, which begins in the chart's own directory."""
SUFFIX = ".tgz"
REMEDY = "build the operator's image anew from a clean checkout"


class ChartsError(Exception):
    """Packed charts are not what they should be."""


def files_in(directory: Path) -> Files:
    """Return every file of a chart, those behind symbolic links included."""
    found = (Path(folder, name) for folder, _, names in os.walk(directory, followlinks=True) for name in names)
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def files_of(archive: Path) -> Files:
    """Return every file of a packed chart.

    Raises:
        ChartsError: it can't be read.
    """
    try:
        with tarfile.open(archive) as packed:
            members = [(one.name, packed.extractfile(one)) for one in packed.getmembers()]
            return {name.partition("/")[2]: content.read() for name, content in members if content}
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ChartsError(f"{archive} cannot be read ({error}): {REMEDY}") from error


def digest_of(files: Files) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return digest.hexdigest()


def pack(files: Files, name: str) -> bytes:
    """Return a chart as Helm reads it: a compressed archive of a directory that is called as the chart is."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return gzip.compress(text.getvalue(), mtime=0)


def read(directory: Path) -> Chart:
    """Return the operator's own chart."""
    return Chart(directory, digest_of(files_in(directory)))


def read_packed(archive: Path) -> Chart:
    """Return a packed chart.

    Raises:
        ChartsError: it is not what its name, a digest, says.
    """
    files = files_of(archive)
    digest = digest_of(files)
    if digest != archive.name.removesuffix(SUFFIX):
        raise ChartsError(f"{archive} holds other charts than its name says, those of digest {digest}: {REMEDY}")
    return Chart(archive, digest, schema_of(files))


class Charts:
    """The charts of every release that the operator can install."""

    def __init__(self, own: Path, packed: Path) -> None:
        """Read the operator's own charts, and each of the directory `packed` if there is one.

        Raises:
            ChartsError: one of those is not what its name says.
        """
        self._own = read(own)
        earlier = [read_packed(archive) for archive in sorted(packed.glob(f"*{SUFFIX}"))]
        self._by_digest = {chart.digest: chart for chart in (*earlier, self._own)}

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(self._by_digest)

    def of(self, release: Release) -> Chart:
        """Return the chart that a release is rendered from."""
        return self._by_digest[release.charts] if release.charts else self._own
