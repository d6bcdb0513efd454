"""The pins that one member or distribution needs: what `infrastructure/images/pins.py` selects inside an image."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from smartcourse_dev.settings import INFRASTRUCTURE
from smartcourse_dev.shell import StepError

SCRIPT = INFRASTRUCTURE / "images" / "pins.py"


@cache
def _script() -> ModuleType:
    """Return the script as a module: it stands alone, for it is copied into images that have no package of ours."""
    spec = spec_from_file_location("smartcourse_pins", SCRIPT)
    if not spec or not spec.loader:
        raise StepError(f"{SCRIPT} is missing")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def closure(constraints: str, members: set[str]) -> str:
    """Return the pins that `members` need, with their hashes.

    Raises:
        ValueError: nothing in the constraints came in by one of them.
    """
    return "".join(_script().closure(constraints, members))
