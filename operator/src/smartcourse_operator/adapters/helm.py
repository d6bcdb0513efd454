"""Rendering a chart: `helm template` as a subprocess, its answers kept by the chart's digest and the values."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import yaml

from smartcourse_operator.adapters import metrics
from smartcourse_operator.core.fitting import Schema, fit
from smartcourse_operator.core.objects import Document
from smartcourse_operator.core.values import Values

TIMEOUT_SECONDS = 60
KEPT_RENDERINGS = 1024
"""Some 10 KiB each, packed; a SmartCourse whose rendering is not kept costs a run of Helm with each reconcile."""
RENDERINGS_AT_A_TIME = 2
"""Each takes some 70 MB for a moment; the pod's memory is limited."""
MESSAGE_LENGTH = 1000


class RenderError(Exception):
    """The chart does not render with these values; the message is Helm's."""


@dataclass(frozen=True)
class Chart:
    """A chart on disk, a directory or an archive, which does not change while the process lives."""

    path: Path
    digest: str
    schema: Schema | None = None
    """What values have to be made to fit; None of the operator's own chart, which knows all that the operator gives."""


class Renderer:
    """Runs Helm, where it has not already been run for the same."""

    def __init__(self, helm: str) -> None:
        self._helm = helm
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Semaphore(RENDERINGS_AT_A_TIME)

    async def render(self, chart: Chart, name: str, namespace: str, values: Values) -> list[Document]:
        """Return a chart's objects for Helm's release `name`.

        Raises:
            RenderError: Helm refused the values, or took too long.
        """
        text = json.dumps(values if chart.schema is None else fit(values, chart.schema), sort_keys=True)
        key = hashlib.sha256("\0".join((chart.digest, name, namespace, text)).encode()).hexdigest()
        if key not in self._cache:
            async with self._turn:
                self._cache[key] = await self._template(chart.path, name, namespace, text)
            while len(self._cache) > KEPT_RENDERINGS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        documents: list[Document] = json.loads(zlib.decompress(self._cache[key]))
        return documents

    async def _template(self, chart: Path, name: str, namespace: str, values: str) -> bytes:
        """Return the rendered objects, packed."""
        arguments = [self._helm, "template", name, str(chart), "--namespace", namespace, "--values", "-"]
        home = str(Path(tempfile.gettempdir(), "helm"))
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": home, "HELM_CACHE_HOME": home,
                       "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home}  # fmt: skip
        pipe = asyncio.subprocess.PIPE
        with metrics.RENDER_SECONDS.time():
            process = await asyncio.create_subprocess_exec(
                *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
            )
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    output, errors = await process.communicate(values.encode())
            except TimeoutError as error:
                process.kill()
                await process.wait()
                raise RenderError(f"helm template took more than {TIMEOUT_SECONDS} s") from error
        if process.returncode:
            raise RenderError(errors.decode(errors="replace").strip()[-MESSAGE_LENGTH:])  # the cause is told last
        return await asyncio.to_thread(pack, output)


def pack(output: bytes) -> bytes:
    """Return the objects of a YAML stream as JSON, compressed: as Python's objects they take thirty times as much."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = [document for document in yaml.load_all(output, Loader=loader) if document]
    return zlib.compress(json.dumps(documents).encode())
