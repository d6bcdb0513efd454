"""Closing a release: `python -m smartcourse_operator.closing` in the repository, before its images are published.

The charts of the newest release are those of the working tree. When it is closed they are packed, and its file names
their digest; what a SmartCourse of that release is rendered from changes no more. Beside them it is kept which values
the operator gave them, for later operators have to give the same.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from smartcourse_operator.adapters.charts import SUFFIX, digest_of, files_in, pack, read_packed
from smartcourse_operator.core import names, values
from smartcourse_operator.core.fitting import fit
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.versions import Release, order

VERSION = re.compile(r"^version: .*\n", re.MULTILINE)


def given(spec: dict[str, Any]) -> values.Values:
    """Return the values that this operator makes of a spec; what comes from elsewhere is left empty."""
    return values.chart_values(
        SmartCourseSpec.model_validate(spec), images={}, image_pull_policy="IfNotPresent", secret_hashes={}, logins={},
        has_kafka_ca=False, public_url="http://localhost:8080", hold_data=True,
    )  # fmt: skip


def specs(samples: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each sample's spec by the file's name, its defaults filled in as the API server keeps them."""
    for path in sorted(samples.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document and document["kind"] == names.KIND:
                yield path.stem, SmartCourseSpec.model_validate(document.get("spec") or {}).document()


def read(releases: Path) -> list[tuple[Path, Release]]:
    """Return every release file, oldest first."""
    paths = sorted(releases.glob("*.yaml"), key=lambda path: order(path.stem))
    return [(path, Release.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))) for path in paths]


def recorded(releases: Path, version: str) -> Path:
    """Return where it is kept which values a release's charts were given."""
    return releases / "charts" / f"{version}.json"


def close(releases: Path, chart: Path, samples: Path) -> str:
    """Close the newest release and return a sentence about it; one that is closed is left as it is."""
    path, release = read(releases)[-1]
    if release.charts:
        return f"{release.version} is closed already: its charts are those of digest {release.charts}"
    files = files_in(chart)
    digest = digest_of(files)
    archive = releases / "charts" / f"{digest}{SUFFIX}"
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(pack(files, chart.name))
    kept = {name: {"spec": spec, "values": given(spec)} for name, spec in specs(samples)}
    recorded(releases, release.version).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    path.write_text(VERSION.sub(lambda found: f"{found[0]}charts: {digest}\n", text, count=1), encoding="utf-8")
    return f"{release.version} is closed: its charts are those of digest {digest}"


def problems(releases: Path, chart: Path) -> Iterator[str]:
    """Yield a sentence for each closed release that this operator and its charts would change.

    Raises:
        ChartsError: a packed chart is not what its name says.
    """
    *earlier, (_, newest) = read(releases)
    yield from (f"{one.version} is to be closed before {newest.version} begins" for _, one in earlier if not one.charts)
    if newest.charts and newest.charts != digest_of(files_in(chart)):
        yield f"the charts are no longer those of {newest.version}, which is closed: begin the next release"
    for _, release in (*earlier, ("", newest)):
        if release.charts:
            yield from _changes(releases, release.version, release.charts)


def _changes(releases: Path, version: str, digest: str) -> Iterator[str]:
    schema = read_packed(releases / "charts" / f"{digest}{SUFFIX}").schema
    kept = json.loads(recorded(releases, version).read_text(encoding="utf-8"))
    for name, one in kept.items():
        if schema is None or fit(given(one["spec"]), schema) != one["values"]:
            yield f"{version}: its charts are given other values for the sample {name} than when it was closed"


def main() -> None:
    manifests = Path("manifests")
    sys.stdout.write(close(manifests / "releases", Path("charts/smartcourse"), manifests / "samples") + "\n")


if __name__ == "__main__":
    main()
