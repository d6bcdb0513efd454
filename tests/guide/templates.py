"""The guide's templates (Dockerfile, Compose, pyproject.toml, commands) and ours as sets of facts that can be compared.

A fact is one line of text: what kind of template, where in it, and what is said there. Comments and order say nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from . import guide
from .guide import ROOT

DEFAULT = re.compile(r"\$\{(\w+)(?::-([^${}]*))?\}")
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]*\}")


def block(number: str, language: str) -> str:
    """Return a section's first block of code in a language."""
    return guide.section(number).split(f"```{language}\n")[1].split("```")[0]


def guides() -> set[str]:
    return {
        *dockerfile(block("3.1", "dockerfile")),
        *compose(block("3.2", "yaml")),
        *commands(block("3.3", "bash")),
        *(fact for number, member in guide.PYPROJECTS.items() for fact in pyproject(member, block(number, "toml"))),
    }


def ours() -> set[str]:
    readme = (ROOT / "services/user-service/README.md").read_text("utf-8")
    written = "\n".join(
        [*readme.split("```bash\n")[1].split("```")[0].splitlines(), *re.findall(r"`(\.\\[^`]+)`", readme)]
    )
    root = (ROOT / "pyproject.toml").read_text("utf-8").replace("[tool.ruff.lint]", "[tool.ruff-lint]")
    members = {member: (ROOT / member / "pyproject.toml").read_text("utf-8") for member in guide.PYPROJECTS.values()}
    return {
        *dockerfile((ROOT / "services/user-service/Dockerfile").read_text("utf-8")),
        *compose((ROOT / "docker-compose.yml").read_text("utf-8")),
        *commands(written),
        *(fact for member, text in members.items() for fact in pyproject(member, text)),
        *(fact.replace("ruff-lint", "ruff") for member in members for fact in pyproject(member, root)),
    }


def dockerfile(text: str) -> Iterator[str]:
    """Yield its instructions, defaults of arguments in their places; of ENV each variable for itself."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", joined, re.MULTILINE))
    for line in filter(None, joined.splitlines()):
        told = re.sub(r"\$\{(\w+)\}", lambda found: arguments.get(found[1], found[0]), " ".join(line.split()))
        if told.startswith("ENV "):
            yield from (f"Dockerfile: ENV {each}" for each in told.split()[1:])
        else:
            yield f"Dockerfile: {told}"


def compose(text: str) -> Iterator[str]:
    """Yield what a Compose file says of each service, defaults in their places; `<NAME>` is the place of a secret."""
    for name, default in re.findall(r"\$\{(\w+):-([^${}]*)\}", text):
        yield f"Compose: variable {name} is {default}"
    plain = REQUIRED.sub(r"<\1>", text.replace(":-smartcourse_secret}", ":?}"))
    while (filled := DEFAULT.sub(lambda found: found[2] if found[2] is not None else f"<{found[1]}>", plain)) != plain:
        plain = filled
    document = yaml.safe_load(plain)
    yield from (f"Compose: {key}" for key in document if not key.startswith("x-"))
    for kind in ("networks", "volumes"):
        yield from (f"Compose: {kind} {name}" for name in document[kind])
    for name, service in document["services"].items():
        yield f"Compose: {name}"
        yield from (f"Compose: {name} {fact}" for fact in of_service(service))


def of_service(service: dict[str, Any]) -> Iterator[str]:
    environment = service.get("environment", {})
    pairs = environment.items() if isinstance(environment, dict) else [each.split("=", 1) for each in environment]
    yield from (f"environment {name}={value}" for name, value in pairs)
    yield from (f"waits for {name}: {how['condition']}" for name, how in service.get("depends_on", {}).items())
    for key in ("ports", "volumes", "networks"):
        yield from (f"{key} {each}" for each in service.get(key, []))
    for key in ("image", "container_name", "command"):
        if key in service:
            yield f"{key} {service[key]}".replace("<COMPOSE_PROJECT_NAME>", "smartcourse")
    yield from (f"build {key} {value}" for key, value in service.get("build", {}).items())
    yield from (f"healthcheck {key} {value}" for key, value in service.get("healthcheck", {}).items())


def commands(lines: str) -> Iterator[str]:
    for line in lines.splitlines():
        if told := line.partition("#")[0].strip():
            yield f"venv: {told}"


def pyproject(member: str, text: str) -> Iterator[str]:
    """Yield its settings, a list's entries one by one; the libraries are compared elsewhere."""
    document = tomllib.loads(text)
    if "project" in document:
        document["project"].pop("dependencies")
        groups = document["project"].pop("optional-dependencies", {})
        yield from (f"pyproject: {member} optional-dependencies {name}" for name in groups)
    yield from (f"pyproject: {member} {fact}" for fact in flat("", document))


def flat(path: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{path}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        yield from (f"{path} {each}" for each in value)
    else:
        yield f"{path} {value}"


def unmatched(facts: Iterable[str], patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the facts that no pattern covers, and the patterns that cover no fact; `*` in a pattern is any text."""
    facts, compiled = sorted(facts), {each: re.compile(re.escape(each).replace(r"\*", ".*")) for each in patterns}
    left = [fact for fact in facts if not any(each.fullmatch(fact) for each in compiled.values())]
    idle = [name for name, each in compiled.items() if not any(each.fullmatch(fact) for fact in facts)]
    return left, idle
