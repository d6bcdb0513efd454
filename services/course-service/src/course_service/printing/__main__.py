"""The process that prints: facts come in by standard input, a line of JSON each; files go out by standard output.

An answer is one byte, 1 if it worked; four bytes, the length of the rest, the first of them the highest; and the PDF,
or what went wrong as text. The process ends when its input does.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys

from course_service.printing.certificate import certificate_pdf
from course_service.printing.facts import CertificateFacts

MEMORY_BYTES = 1024 * 1024 * 1024
"""Of address space, fonts that are only mapped included; a page that takes more fails, and the pod lives on."""

NICENESS = 10


def main() -> None:
    """Print until there is nothing more to print."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.nice(NICENESS)
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        try:
            is_good, content = True, certificate_pdf(CertificateFacts(**json.loads(line)))
        except Exception as error:  # noqa: BLE001 - told to who asked; the next page may do
            is_good, content = False, f"{type(error).__name__}: {error}".encode()
        answers.write(struct.pack(">?I", is_good, len(content)) + content)
        answers.flush()


if __name__ == "__main__":
    main()
