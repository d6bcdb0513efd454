"""Select from `constraints.txt` what one member of the repository needs, with its hashes.

`uv pip compile` annotates every pin with the requirements it came in by (`# via ...`). Following those edges from
a member gives its closure, so that an image installs with `pip install --require-hashes` exactly what the member
uses and nothing that only tests or linters use.

Usage: python pins.py CONSTRAINTS MEMBER [MEMBER ...] > pins.txt
       (a member is the distribution's name, for example `smartcourse-shared`)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==", re.MULTILINE)
VIA = re.compile(r"^ {4}# (?:via\s+| {2})(?P<name>[a-z0-9][a-z0-9._-]*)(?P<extra>:[a-z]+)?", re.MULTILINE)


def blocks(constraints: str) -> Iterator[tuple[str, str]]:
    """Yield `(distribution, block)`, a block being the pin, its hashes and its annotations."""
    starts = [*PIN.finditer(constraints)]
    ends = [match.start() for match in starts[1:]] + [len(constraints)]
    for match, end in zip(starts, ends, strict=True):
        yield match["name"], constraints[match.start() : end]


def closure(constraints: str, members: set[str]) -> list[str]:
    """Return the blocks that `members` need, directly or through others, in file order.

    Raises:
        ValueError: a member is named nowhere in the annotations.
    """
    parents = {name: {via["name"] for via in VIA.finditer(block)} for name, block in blocks(constraints)}
    unknown = members - set().union(*parents.values())
    if unknown:
        raise ValueError(f"no pin in the constraints came in by {', '.join(sorted(unknown))}; is the name right?")
    needed = set(members)
    while found := {name for name, via in parents.items() if via & needed} - needed:
        needed |= found
    return [block for name, block in blocks(constraints) if name in needed]


if __name__ == "__main__":
    sys.stdout.write("".join(closure(Path(sys.argv[1]).read_text(encoding="utf-8"), set(sys.argv[2:]))))
