"""Every line of the user's guide is kept somewhere and proved by a test, or departed from by a decision that says why.

The page `docs/traceability.md` is the record. These cases hold it to the guide's text, to the tree and to the tests.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import guide
from .cases import functions, quoted, rows
from .guide import ROOT

PAGE = ROOT / "docs" / "traceability.md"
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def table(heading: str) -> list[list[str]]:
    """Return the rows of the page's table under a heading."""
    return rows(PAGE, heading)


def traced() -> dict[str, tuple[list[str], list[str]]]:
    """Return `(places, tests)` by demand."""
    return {demand: (quoted(kept), quoted(tests)) for demand, kept, tests in table("Demands")}


def departures() -> dict[str, str]:
    """Return the reason by what is departed from."""
    return {name: reason for cell, _, reason in table("Departures") for name in quoted(cell)}


def named_tests() -> Iterator[str]:
    for _, tests in traced().values():
        yield from tests


def test_the_guide_is_the_users_own_text_byte_for_byte() -> None:
    assert hashlib.sha256(guide.GUIDE.read_bytes()).hexdigest() == guide.SHA256


def test_each_rule_of_the_guide_is_read_with_its_words() -> None:
    assert len(guide.rules()) == 18
    assert guide.rules()[5] == "DO 6: Handle JWT verification ONLY in API Gateway"


@pytest.mark.parametrize("demand", guide.demands())
def test_every_demand_of_the_guide_names_where_it_is_kept_and_what_proves_it(demand: str) -> None:
    assert demand in traced(), f"docs/traceability.md has no row for {demand!r}"
    places, tests = traced()[demand]
    assert places, f"{demand!r}: where is it kept?"
    assert tests, f"{demand!r}: which test proves it?"


def test_the_page_traces_nothing_that_the_guide_does_not_demand() -> None:
    assert set(traced()) - set(guide.demands()) == set()


@pytest.mark.parametrize("node", sorted(set(named_tests())))
def test_every_named_test_exists(node: str) -> None:
    path, _, function = node.partition("::")
    assert function in functions(ROOT / path), f"{path} has no test {function}"


def test_every_named_place_exists() -> None:
    places = {place for kept, _ in traced().values() for place in kept}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []


@pytest.mark.parametrize(("number", "root"), [("2.1", "."), ("2.2", "services/user-service"), ("8.2", "shared")])
def test_the_guides_directory_tree_stands(number: str, root: str) -> None:
    allowed = departures()
    missing = [path for path in guide.tree(number) if not (ROOT / root / path).exists() and path not in allowed]
    assert missing == []


@pytest.mark.parametrize(("number", "member"), guide.PYPROJECTS.items())
def test_the_guides_libraries_are_used_or_their_absence_is_decided(number: str, member: str) -> None:
    wanted = tomllib.loads(guide.section(number).split("```toml")[1].split("```")[0])["project"]
    running = names(project(member)["dependencies"]) | names(project("shared")["dependencies"])
    developing = names(
        entry for group in project("infrastructure")["optional-dependencies"].values() for entry in group
    )
    lacking = names(wanted["dependencies"]) - running
    lacking |= names(wanted["optional-dependencies"]["dev"]) - developing
    assert lacking == not_taken(Path(member).name), "docs/traceability.md, `Libraries not taken`, says otherwise"


def not_taken(member: str) -> set[str]:
    """Return the guide's libraries that a member does without by decision."""
    entries = table("Libraries not taken")
    return {name for members, libraries, *_ in entries if member in quoted(members) for name in quoted(libraries)}


def project(member: str) -> dict[str, Any]:
    told: dict[str, Any] = tomllib.loads((ROOT / member / "pyproject.toml").read_text("utf-8"))["project"]
    return told


def names(requirements: Iterable[str]) -> set[str]:
    return {name_of(each) for each in requirements}


def name_of(requirement: str) -> str:
    found = NAME.match(requirement)
    assert found is not None, requirement
    return found[0].lower()


@pytest.mark.parametrize("heading", ["Libraries not taken", "Departures", "Departures from templates"])
def test_every_departure_is_decided_in_an_adr(heading: str) -> None:
    assert table(heading)
    for *_, departed, _, reason in table(heading):
        links = re.findall(r"\((adr/[^)]+)\)", reason)
        assert links, f"{departed}: which ADR decides it?"
        assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_no_file_name_repeats_its_folder() -> None:
    assert [path.relative_to(ROOT) for path in sources() if repeats_its_folder(path)] == []


@pytest.mark.parametrize(
    "path",
    ["repositories/user_repository.py", "models/user_model.py", "api/auth_api.py", "services/auth_service.py",
     "seed/seeding.py", "schemas/schema.py"],
)  # fmt: skip
def test_a_file_name_that_repeats_its_folder_is_noticed(path: str) -> None:
    assert repeats_its_folder(Path(path))
    assert not repeats_its_folder(Path(path).with_name("user.py"))


def repeats_its_folder(path: Path) -> bool:
    """Whether a word of the name begins as its folder's does: `services/auth_service.py`, `seed/seeding.py`."""
    folder = re.sub(r"ies$", "y", path.parent.name).removesuffix("s")
    return any(word.startswith(folder) for word in path.stem.split("_"))


def test_no_file_of_requirements_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = [Path(line).name for line in listed.splitlines()]
    assert "constraints.txt" in names
    assert [name for name in names if re.fullmatch(r"requirements.*\.(txt|in)", name)] == []


def importing(module: str) -> set[str]:
    """Return the members whose own code imports a module or a part of it."""
    wanted = re.compile(rf"^\s*(import|from) {re.escape(module)}\b", re.MULTILINE)
    found = [path.relative_to(ROOT).parts for path in sources() if wanted.search(path.read_text("utf-8"))]
    return {parts[1] if parts[0] == "services" else parts[0] for parts in found}


def sources() -> list[Path]:
    """Return the services' code and shared's, without what tests alone import."""
    shared = [path for path in ROOT.glob("shared/shared/**/*.py") if "testing" not in path.parts]
    return [*ROOT.glob("services/*/src/**/*.py"), *shared]


def test_only_the_gateway_and_the_issuer_of_tokens_know_jwt() -> None:
    assert importing("jwt") == {"api-gateway", "user-service"}
    assert importing("jose") == importing("authlib") == set()


def test_only_user_service_answers_about_accounts_and_judges_passwords() -> None:
    described = {path.parent.name: json.loads(path.read_text("utf-8")) for path in ROOT.glob("services/*/openapi.json")}
    assert len(described) > 1
    answering = {name for name, api in described.items() if any(path.startswith("/api/auth/") for path in api["paths"])}
    assert answering == {"user-service"}
    assert importing("shared.utils.hashing") - {"shared"} == {"user-service"}
    assert importing("bcrypt") == {"shared"}


def test_no_table_for_progress_and_no_service_of_its_own_for_it() -> None:
    migrations = "".join(path.read_text("utf-8") for path in ROOT.glob("services/*/src/*/migrations/versions/*.py"))
    assert not re.search(r"CREATE TABLE (progress|student_progress)\b", migrations, re.IGNORECASE)
    services = {path.name for path in (ROOT / "services").iterdir() if path.is_dir()}
    assert "course-service" in services
    assert not [name for name in services if re.match(r"(enrollment|progress|certificate)", name)]


def test_every_service_has_a_dockerfile_in_its_root() -> None:
    assert [path for path in ROOT.glob("services/*") if not (path / "Dockerfile").is_file()] == []


def test_every_service_uses_the_shared_library() -> None:
    for service in ROOT.glob("services/*"):
        sources = "".join(path.read_text("utf-8") for path in service.glob("src/**/*.py"))
        assert re.search(r"^from shared\.", sources, re.MULTILINE), service.name
