"""What the log's archive holds: base backups of PostgreSQL, each segment since the first, and the window covered."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from smartcourse_backup.manifest import BrokenBackupError

FILE = "archive.json"
FORMAT = 1
WAL, BASES = "wal", "bases"
PARTIAL = ".partial"
BASE_TAR = "base.tar"
SEGMENT = re.compile(r"^[0-9A-F]{24}$")
SEGMENTS_ADDRESSED = 1 << 32
"""Bytes that the middle eight digits of a segment's name count."""
TRIES = 5


class OutsideWindowError(BrokenBackupError):
    """The archive does not cover a moment; the message names what it covers."""

    def __init__(self, target: datetime, windows: list[tuple[datetime, datetime]]) -> None:
        told = " and ".join(f"{first.isoformat()} to {last.isoformat()}" for first, last in windows)
        super().__init__(
            f"{target.isoformat()} cannot be recovered: the archive covers {told or 'nothing yet'};"
            " choose a moment in it"
        )


class Base(BaseModel):
    """A base backup: recovery can end at any moment from `finished_at` on."""

    name: str
    first_segment: str
    finished_at: datetime


class Archive(BaseModel):
    """The whole archive, as one snapshot of the repository has it."""

    format: int = FORMAT
    source: str
    release: str
    system: str
    chain: str
    covered_until: datetime
    bases: list[Base]

    @classmethod
    def read(cls, text: str) -> Archive:
        """Read what a snapshot tells of itself.

        Raises:
            BrokenBackupError: it tells nothing that can be read.
        """
        try:
            found = cls.model_validate_json(text)
        except ValueError as error:
            raise BrokenBackupError(f"the archive has no readable {FILE}: {error}") from error
        if found.format != FORMAT:
            raise BrokenBackupError(f"the archive is of format {found.format}, this program reads {FORMAT}")
        return found

    @property
    def first(self) -> datetime:
        """The first moment that can be recovered."""
        return min(base.finished_at for base in self.bases)

    def base_for(self, target: datetime) -> Base | None:
        """Return the newest base backup from which `target` can be reached."""
        if target > self.covered_until:
            return None
        fitting = [base for base in self.bases if base.finished_at <= target]
        return max(fitting, key=lambda base: base.finished_at, default=None)


def kept(bases: list[Base], keep: int) -> list[Base]:
    """Return the newest `keep` base backups, the oldest first."""
    return sorted(bases, key=lambda base: base.finished_at)[-keep:]


def segments(folder: Path) -> dict[str, Path]:
    """Return the segments in a folder by name; the one that is still being written is among them."""
    found = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(PARTIAL)
        if SEGMENT.match(name) and name not in found:  # a whole segment sorts before what was a part of it
            found[name] = path
    return found


def unneeded(folder: Path, bases: list[Base]) -> list[Path]:
    """Return the segments that no base backup needs: those before the first one's; none while there is no base."""
    if not bases:
        return []
    first = min(base.first_segment for base in bases)
    return [path for name, path in segments(folder).items() if name < first]


def following(segment: str, size_bytes: int) -> str:
    """Return the name of the segment after this one, of the same timeline."""
    in_each = SEGMENTS_ADDRESSED // size_bytes
    number = int(segment[8:16], 16) * in_each + int(segment[16:], 16) + 1
    return f"{segment[:8]}{number // in_each:08X}{number % in_each:08X}"


def first_segment(base: Path) -> str:
    """Return the segment of the log that recovery from a base backup begins with.

    Raises:
        BrokenBackupError: the base backup does not tell.
    """
    try:
        with tarfile.open(base / BASE_TAR) as tar:
            label = tar.extractfile("backup_label")
            text = label.read().decode() if label else ""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise BrokenBackupError(f"the base backup {base.name} cannot be read: {error}") from error
    found = re.search(r"^START WAL LOCATION: .*\(file ([0-9A-F]{24})\)$", text, re.MULTILINE)
    if found is None:
        raise BrokenBackupError(f"the base backup {base.name} does not tell where the log begins")
    return found.group(1)


def unbroken(folder: Path, first: str) -> list[Path]:
    """Return the segments from `first` on.

    The last one may be cut: the receiver fills it with zeros first, and nothing was received into it until then.

    Raises:
        BrokenBackupError: one is missing or not whole, so that nothing after it can be recovered.
    """
    found = {name: path for name, path in segments(folder).items() if name >= first}
    if first not in found:
        raise BrokenBackupError(f"the archive lacks segment {first} of the log, which its base backup begins with")
    size = found[first].stat().st_size
    expected, whole = first, []
    for name, path in found.items():
        if name != expected:
            raise BrokenBackupError(f"the archive lacks segment {expected} of the log, and goes on with {name}")
        if path.stat().st_size != size and path.name.endswith(PARTIAL) and name == max(found):
            break
        if path.stat().st_size != size:
            raise BrokenBackupError(f"segment {name} of the log has {path.stat().st_size} bytes instead of {size}")
        if path.name.endswith(PARTIAL) and name != max(found):
            raise BrokenBackupError(f"segment {name} of the log was never finished, and others follow it")
        expected = following(name, size)
        whole.append(path)
    return whole


def stage(spool: Path, target: Path) -> None:
    """Put what the spool holds now where nothing changes it: links, and a copy of the segment that is being written."""
    for attempt in range(TRIES):
        shutil.rmtree(target, ignore_errors=True)
        try:
            unfinished = shutil.ignore_patterns(f"*{PARTIAL}")
            shutil.copytree(spool / BASES, target / BASES, copy_function=os.link, ignore=unfinished)
            os.link(spool / FILE, target / FILE)
            (target / WAL).mkdir()
            for path in segments(spool / WAL).values():
                copy = shutil.copyfile if path.name.endswith(PARTIAL) else os.link
                copy(path, target / WAL / path.name)
        except FileNotFoundError:  # it was finished, and has another name now
            if attempt == TRIES - 1:
                raise
        else:
            return
