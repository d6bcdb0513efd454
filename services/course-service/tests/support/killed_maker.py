"""A process that makes certificates' files and is killed at a step: `python killed_maker.py STEP`.

Its settings come from the environment; it prints the id of the process that prints, if there is one by then.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

from course_service.config import Settings
from course_service.core.mongodb import MongoDB
from course_service.printing.printer import Printer
from course_service.repositories.file import FileRepository
from course_service.services.certificate_file import CertificateMaker
from shared.config.settings import load
from shared.database import Database
from shared.utils.datetime import SystemClock

STEPS = ("claimed", "printing", "printed", "half stored", "stored", "referred")


class Parts:
    """What a maker is made of, each able to be the last thing that it does."""

    def __init__(self, settings: Settings, step: str) -> None:
        self.step = step
        self.printer = Printer()
        self.files = FileRepository(MongoDB(settings.mongodb_url.get_secret_value()))
        self.maker = CertificateMaker(
            Database(settings), self.files, self.printer, SystemClock(), public_url=settings.public_url
        )
        self._wrap()

    def die(self) -> NoReturn:
        process = self.printer._process
        print(process.pid if process else 0, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    async def _die_while(self, printing: Coroutine[Any, Any, bytes]) -> NoReturn:
        asked = asyncio.create_task(printing)
        # The printer tells nobody that it has begun.
        while self.printer._process is None or (not asked.done() and self.printer._pages == 0):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        self.die()

    def _wrap(self) -> None:
        printing, writing, adding = self.printer.print, self.files._write_chunk, self.files.add

        async def print_page(facts: Any) -> bytes:
            if self.step == "claimed":
                self.die()
            if self.step == "printing":
                await self._die_while(printing(facts))
            page = await printing(facts)
            if self.step == "printed":
                self.die()
            return page

        async def write_chunk(file_id: Any, number: int, data: bytes) -> None:
            await writing(file_id, number, data)
            if self.step == "half stored":
                self.die()

        async def add(*arguments: Any, **named: Any) -> Any:
            stored = await adding(*arguments, **named)
            if self.step == "stored":
                self.die()
            return stored

        async def settle(file_id: str) -> None:
            self.die()

        self.printer.print = print_page  # type: ignore[method-assign]
        self.files._write_chunk = write_chunk  # type: ignore[method-assign]
        self.files.add = add  # type: ignore[method-assign]
        self.files.settle = settle  # type: ignore[method-assign]


async def main() -> None:
    await Parts(load(Settings), sys.argv[1]).maker.make_next()


if __name__ == "__main__":
    asyncio.run(main())
