"""The way to the process that prints."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import asdict

from course_service.printing.facts import CertificateFacts

PAGES_PER_PROCESS = 10
"""Then another takes its place: Pango keeps some 20 MiB of fonts and threads a page in scripts of all kinds, and can
end the process after some 30 pages."""

HEADER_BYTES = 5


class PrintingError(Exception):
    """The page could not be printed; the message says why."""


class Printer:
    """Prints one page at a time, in a process that is started when it is needed and ended by `rest`."""

    def __init__(self, *, timeout_seconds: float = 30.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._process: Process | None = None
        self._pages = 0

    async def print(self, facts: CertificateFacts) -> bytes:
        """Return the PDF.

        Raises:
            PrintingError: the process refused, died or took too long; the next page gets a new one.
        """
        if self._pages >= PAGES_PER_PROCESS:
            await self.rest()
        process = self._process or await self._start()
        self._pages += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                is_good, content = await _ask(process, facts)
        except TimeoutError:
            await self.rest()
            raise PrintingError(f"nothing came in {self._timeout_seconds:g} seconds") from None
        except (OSError, asyncio.IncompleteReadError):
            await self.rest()
            raise PrintingError("the process that prints ended") from None
        except asyncio.CancelledError:
            await self.rest()  # its answer would be taken for the next page's
            raise
        if not is_good:
            raise PrintingError(content.decode(errors="replace"))
        return content

    async def rest(self) -> None:
        """End the process, and give its memory back."""
        process, self._process, self._pages = self._process, None, 0
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                process.kill()  # it holds nothing that could be lost
            await process.wait()

    async def _start(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "course_service.printing", stdin=PIPE, stdout=PIPE
        )
        return self._process


async def _ask(process: Process, facts: CertificateFacts) -> tuple[bool, bytes]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    process.stdin.write(json.dumps(asdict(facts)).encode() + b"\n")
    await process.stdin.drain()
    is_good, size_bytes = struct.unpack(">?I", await process.stdout.readexactly(HEADER_BYTES))
    return is_good, await process.stdout.readexactly(size_bytes)
