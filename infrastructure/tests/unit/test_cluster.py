"""A cluster stays as it was made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from smartcourse_dev import catalogue, cluster, docker, settings
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import Settings, SettingsError
from smartcourse_dev.shell import Log


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on an engine that is down, where no registry is asked."""
    monkeypatch.setattr(settings, "CACHE", tmp_path)
    monkeypatch.setattr(docker, "is_reachable", lambda: False)
    monkeypatch.setattr(catalogue, "registry_answers", lambda: True)
    return tmp_path


def make(source: Source, *, http_port: int = 8080, nodes: int = 1) -> None:
    """Leave what a cluster that was made leaves in the cache."""
    made = Settings(http_port=http_port, nodes=nodes)
    made.directory.mkdir(parents=True)
    (made.directory / "kind.yaml").write_text(yaml.safe_dump(cluster.configuration(made, source)), encoding="utf-8")
    (made.directory / "created").touch()


@pytest.mark.parametrize("source", list(Source))
def test_a_cluster_keeps_to_the_source_it_was_made_from_whatever_registry_answers(cache: Path, source: Source) -> None:
    make(source)
    assert cluster.source(Settings()) is source
    assert cluster.source(Settings(images=source.value)) is source


def test_where_there_is_no_cluster_the_source_is_chosen(cache: Path) -> None:
    assert cluster.source(Settings()) is Source.UPSTREAM
    assert cluster.source(Settings(images="offline", http_port=8090, nodes=3)) is Source.OFFLINE


def test_what_a_cluster_that_was_deleted_left_binds_nobody(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(Source.OFFLINE)
    monkeypatch.setattr(docker, "is_reachable", lambda: True)
    monkeypatch.setattr(cluster, "nodes", lambda _: [])
    assert cluster.source(Settings()) is Source.UPSTREAM


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Settings(images="upstream", http_port=8081, nodes=2), "IMAGES"),
        (Settings(http_port=8090, nodes=2), "HTTP_PORT"),
        (Settings(http_port=8081, nodes=3), "NODES"),
    ],
    ids=["IMAGES", "HTTP_PORT", "NODES"],
)
def test_a_cluster_is_not_made_into_another(cache: Path, wanted: Settings, name: str) -> None:
    make(Source.OFFLINE, http_port=8081, nodes=2)
    asked = Settings(images=wanted.images, http_port=wanted.http_port, nodes=wanted.nodes)
    with pytest.raises(SettingsError, match=f"{name}.*make down"):
        cluster.source(asked)


def test_fewer_nodes_than_there_are_serve_as_well(cache: Path) -> None:
    make(Source.OFFLINE, nodes=2)
    assert cluster.source(Settings(nodes=1)) is Source.OFFLINE


def test_a_node_that_failed_is_kept_so_that_its_log_can_be_read(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(Log, "run", lambda _, *command, **__: ran.append(command))
    wanted = Settings()
    wanted.directory.mkdir(parents=True)
    cluster.create(wanted, Source.OFFLINE, Log(tmp_path / "log"))
    (command,) = ran
    assert "--retain" in command
