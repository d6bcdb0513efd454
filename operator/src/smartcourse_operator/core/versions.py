"""Releases: the images and charts that SmartCourse is made of. Read from `manifests/releases/<version>.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import Field

from smartcourse_operator.core import names
from smartcourse_operator.core.fields import Model
from smartcourse_operator.core.spec import Images
from smartcourse_operator.core.status import KnownRelease


class Schema(Model):
    """Alembic's revisions of one service's tables."""

    expand: str = Field(description="What the release's code needs; the release before still runs on it.")
    contract: str | None = Field(
        None, description="What only the release's own code runs on; unset, nothing is removed."
    )


class Release(Model):
    """One release's file."""

    version: str
    images: dict[str, str] = Field(description="Image reference by component.")
    upgrade_from: list[str] = Field(default_factory=list, description="Releases that it may follow.")
    charts: str | None = Field(None, description="Digest of its charts; unset, they are the operator's own.")
    schema_: dict[str, Schema] = Field(default_factory=dict, alias="schema", description="Revisions by service.")

    def contracts(self) -> list[str]:
        """Return the services, sorted, whose tables lose something once all of their pods run this release."""
        return sorted(service for service, schema in self.schema_.items() if schema.contract)


class VersionError(Exception):
    """The release that the resource asks for can't be run."""

    reason: ClassVar[str]


class ReleaseUnknownError(VersionError):
    """The resource asks for a release that this operator does not carry."""

    reason = "VersionUnknown"

    def __init__(self, version: str, known: list[str]) -> None:
        super().__init__(f"spec.version {version} is not known to this operator, which has {', '.join(known)}")


class ChartsUnknownError(VersionError):
    """The resource asks for a release whose charts this operator does not carry."""

    reason = "VersionUnknown"

    def __init__(self, release: Release) -> None:
        super().__init__(
            f"release {release.version} is made of charts that this operator does not carry, those of digest "
            f"{release.charts}: install an operator that does, or correct `charts` of that release in its `releases`"
        )


class ReleaseUntoldError(VersionError):
    """Pods run of which neither the resource nor their images tell the release."""

    reason = "VersionUnknown"

    def __init__(self, image: str) -> None:
        super().__init__(
            f"status.version does not tell which release runs, and {image}, which does, is of none that this operator "
            "knows: set spec.version to the release that runs"
        )


class UpgradeRefusedError(VersionError):
    """The resource asks for a release that may not follow the one that runs."""

    reason = "UpgradeRefused"

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(
            f"spec.version {wanted} cannot follow {current}: no way of releases that name each other in upgradeFrom "
            f"leads there; {current} goes on, which `version: {current}` asks for"
        )


class RollbackRefusedError(VersionError):
    """The resource asks for the release before, which the schema no longer serves."""

    reason = "RollbackRefused"

    def __init__(self, current: str, wanted: str, backup: str | None) -> None:
        source = f"SmartCourseBackup {backup}" if backup else f"a backup of the time before {current}"
        super().__init__(
            f"spec.version {wanted} cannot follow {current}: what only {wanted} needs is no longer in the schema; "
            f"{current} goes on, which `version: {current}` asks for. The way out is another SmartCourse with "
            f"`version: {wanted}` into which {source} is restored"
        )


class ImageUnknownError(VersionError):
    """The release was made before there were backups."""

    reason = "ImageUnknown"

    def __init__(self, version: str) -> None:
        super().__init__(f"release {version} names no image for backups: set spec.images.backup")


def order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class Releases:
    """The releases that the operator knows, and of those the ones whose charts it has too."""

    def __init__(self, releases: Mapping[str, Release], *, charts: Collection[str] = ()) -> None:
        self._named = dict(releases)
        self._releases = {one.version: one for one in releases.values() if one.charts is None or one.charts in charts}
        if not self._releases:
            raise ValueError("there is no release file: the operator has nothing to install")

    @classmethod
    def read(
        cls, directory: Path, *, images: Mapping[str, str] | None = None, further: Path | None = None,
        charts: Collection[str] = (),
    ) -> Releases:  # fmt: skip
        """Read every `*.yaml` in `directory`, and in `further` if there is such a directory: what is there comes first.

        A release that is in both keeps what `further` does not say of it: an image, its charts. `images` take the place
        of those of the newest in `directory`, by component. `charts`: the digests of those that there are.
        """
        files = _read(directory)
        if files:
            newest = files[max(files, key=order)]
            newest["images"] = {**newest["images"], **(images or {})}
        for version, file in (_read(further) if further else {}).items():
            before = files.get(version, {})
            files[version] = {**before, **file, "images": {**before.get("images", {}), **file.get("images", {})}}
        return cls({version: Release.model_validate(file) for version, file in files.items()}, charts=charts)

    def known(self) -> list[KnownRelease]:
        """Return what the status tells of them, oldest first."""
        ordered = sorted(self._releases.values(), key=lambda release: order(release.version))
        return [KnownRelease(version=one.version, upgrade_from=one.upgrade_from) for one in ordered]

    def newest(self) -> Release:
        return self._releases[max(self._releases, key=order)]

    def made_of(self, component: str, image: str) -> str | None:
        """Return the newest release whose image of a component this is."""
        found = (one.version for one in self._releases.values() if one.images.get(component) == image)
        return max(found, key=order, default=None)

    def get(self, version: str) -> Release:
        """Return a release.

        Raises:
            ReleaseUnknownError: there is no such release here.
            ChartsUnknownError: there is, without its charts.
        """
        if version in self._releases:
            return self._releases[version]
        if version in self._named:
            raise ChartsUnknownError(self._named[version])
        raise ReleaseUnknownError(version, sorted(self._releases, key=order))


def _read(directory: Path) -> dict[str, dict[str, Any]]:
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.yaml")))
    return {file["version"]: file for file in files}


def image_references(release: Release, overrides: Images) -> dict[str, str]:
    """Return each component's image: the resource's, else the release's."""
    own = overrides.model_dump(exclude_none=True)
    return {component: own.get(component) or release.images[component] for component in names.COMPONENTS}


def path(releases: Iterable[KnownRelease], *, current: str, wanted: str) -> list[str] | None:
    """Return the releases to go through from `current`, itself left out, to `wanted`; None if there is no way.

    Of several ways it is the one of the fewest steps, and of those the one by the newest releases.
    """
    known = sorted(releases, key=lambda release: order(release.version), reverse=True)
    ways = {current: list[str]()}
    waiting = [current]
    while waiting:
        reached = waiting.pop(0)
        for release in known:
            if reached in release.upgrade_from and release.version not in ways:
                ways[release.version] = [*ways[reached], release.version]
                waiting.append(release.version)
    return ways.get(wanted)


def backup_image(release: Release, overrides: Images) -> str:
    """Return the image that backups' Jobs run, chosen likewise.

    Raises:
        ImageUnknownError: neither names one.
    """
    found = overrides.backup or release.images.get("backup")
    if found is None:
        raise ImageUnknownError(release.version)
    return found
