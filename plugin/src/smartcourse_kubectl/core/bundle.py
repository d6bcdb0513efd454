"""A support bundle: files in a tar.gz that only its owner can read, each redacted on its way in."""

from __future__ import annotations

import io
import os
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from smartcourse_kubectl.core.redaction import Redactor
from smartcourse_operator.core.objects import Document

FILE_MODE = 0o600


class Plain(yaml.SafeDumper):
    """Writes every value out, never an anchor and its alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class gives the parameter
        return True


def to_yaml(documents: list[Document]) -> str:
    """Return documents as YAML whose strings are never folded: what is looked for in them stays in one piece."""
    return yaml.dump_all(documents, Dumper=Plain, sort_keys=False, width=float("inf"), allow_unicode=True)


@dataclass
class Bundle:
    """Writes into a file beside `target` and puts it there when all is written; of a failed one nothing is left."""

    target: Path
    redactor: Redactor
    problems: list[str] = field(default_factory=list)
    """What could not be had, a line each."""

    @property
    def _partial(self) -> Path:
        return self.target.with_name(f".{self.target.name}.partial")

    def __enter__(self) -> Self:
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._tar.close()
        self._file.close()
        if error is None:
            self._partial.replace(self.target)
        else:
            self._partial.unlink()

    def documents(self, path: str, documents: list[Document]) -> None:
        self._add(path, to_yaml([self.redactor.document(one) for one in documents]))

    def text(self, path: str, text: str) -> None:
        """Add a log or another text of lines."""
        self._add(path, text)

    def _add(self, path: str, text: str) -> None:
        content = self.redactor.lines(text).encode()
        entry = tarfile.TarInfo(f"{self.target.name.removesuffix('.tar.gz')}/{path}")
        entry.size, entry.mode, entry.mtime = len(content), FILE_MODE, int(time.time())
        self._tar.addfile(entry, io.BytesIO(content))
