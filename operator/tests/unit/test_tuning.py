"""How many connections there may be, and what PostgreSQL is started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcourse_operator.core import tuning
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.tuning import Pool, TooManyConnectionsError

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("user", "course", "notification")
EXTERNAL = {"mode": "external", "secretName": "outside"}


def spec(postgres: dict[str, Any] | None = None, **services: dict[str, Any]) -> SmartCourseSpec:
    return SmartCourseSpec.model_validate({"databases": {"postgres": postgres or {}}, "services": services})


def of_memory(memory: str) -> dict[str, Any]:
    return {"resources": {"limits": {"memory": memory}}}


def replicas(count: int) -> dict[str, dict[str, int]]:
    return {service: {"replicas": count} for service in SERVICES}


def scaled(most: int) -> dict[str, Any]:
    return {service: {"autoscaling": {"maxReplicas": most}} for service in SERVICES}


def megabytes(text: str) -> int:
    return int(text.removesuffix("MB"))


services = st.fixed_dictionaries(
    dict.fromkeys(
        SERVICES,
        st.one_of(
            st.integers(1, 100).map(lambda count: {"replicas": count}),
            st.integers(1, 100).map(lambda most: {"autoscaling": {"maxReplicas": most}}),
            st.integers(1, 30).map(lambda size: {"replicas": 2, "env": {"DATABASE_POOL_SIZE": str(size)}}),
        ),
    )
)
servers = st.one_of(
    st.integers(16, 64 * 1024).map(lambda mebibytes: of_memory(f"{mebibytes}Mi")),
    st.integers(1, 2000).map(lambda most: {**EXTERNAL, "maxConnections": most}),
    st.just(EXTERNAL),
)


@settings(deadline=None)
@given(servers, services)
def test_whatever_is_asked_for_the_connections_fit_or_it_is_refused(
    postgres: dict[str, Any], asked: dict[str, Any]
) -> None:
    wanted = spec(postgres, **asked)
    allowed = tuning.max_connections(wanted.databases.postgres)
    if tuning.needed_connections(wanted, Pool.of(2)) > allowed:
        with pytest.raises(TooManyConnectionsError, match=f"takes {allowed} connections"):
            tuning.pool(wanted)
        return
    pool = tuning.pool(wanted)
    assert tuning.needed_connections(wanted, pool) <= allowed
    assert 2 <= pool.size + pool.overflow <= 15
    assert pool.size >= 1


@settings(deadline=None)
@given(st.integers(64, 256 * 1024))
def test_memory_holds_what_every_connection_may_take(mebibytes: int) -> None:
    made = tuning.parameters(spec(of_memory(f"{mebibytes}Mi")).databases.postgres)
    connections = int(made["max_connections"])
    # Two of three sessions are new ones (1.2 MiB), the third has been kept long (5.5 MiB).
    assert megabytes(made["shared_buffers"]) + connections * (2 * 1.2 + 5.5) / 3 <= mebibytes
    assert 3 * 2 * megabytes(made["work_mem"]) < 64, "a parallel hash join fits in /dev/shm"
    assert megabytes(made["shared_buffers"]) < megabytes(made["effective_cache_size"]) <= mebibytes / 2
    assert 3 * megabytes(made["maintenance_work_mem"]) < mebibytes / 4


@pytest.mark.parametrize(
    ("postgres", "asked", "expected"),
    [
        (None, {}, Pool(5, 10)),
        (None, replicas(2), Pool(2, 4)),
        (of_memory("1Gi"), replicas(2), Pool(5, 10)),
        (of_memory("1Gi"), replicas(4), Pool(3, 6)),
        (of_memory("1Gi"), scaled(4), Pool(3, 6)),
        (of_memory("2Gi"), replicas(4), Pool(5, 10)),
        (EXTERNAL, {}, Pool(3, 6)),
        ({**EXTERNAL, "maxConnections": 400}, replicas(4), Pool(5, 10)),
    ],
)
def test_the_pool_is_the_largest_that_fits(
    postgres: dict[str, Any] | None, asked: dict[str, Any], expected: Pool
) -> None:
    assert tuning.pool(spec(postgres, **asked)) == expected


def test_four_pods_of_each_did_not_fit_what_was_fixed_before() -> None:
    assert tuning.needed_connections(spec(**replicas(4)), Pool(5, 10)) == 6 * (16 + 17 + 17) + 20 == 320


@pytest.mark.parametrize(("count", "most"), [(1, 2), (2, 4), (3, 5), (10, 12)])
def test_a_rollout_adds_the_pod_that_comes_and_the_one_that_leaves(count: int, most: int) -> None:
    def pods(of_all: int = 1, **user: Any) -> int:
        wanted = SmartCourseSpec.model_validate({"replicas": of_all, "services": {"user": user}})
        return tuning.most_pods(wanted, wanted.services.user)

    assert pods(replicas=count) == pods(count) == pods(99, replicas=count) == most
    assert pods(99, replicas=1, autoscaling={"minReplicas": 1, "maxReplicas": count}) == most


def test_a_pool_that_env_asks_for_is_counted_and_leaves_less_to_the_others() -> None:
    wide = {"env": {"DATABASE_POOL_SIZE": "10", "DATABASE_MAX_OVERFLOW": "15"}}
    assert tuning.pool(spec(user=wide)) == Pool(4, 8)
    assert tuning.pool(spec(user={"env": {"DATABASE_POOL_SIZE": "many"}})) == Pool(5, 10)
    with pytest.raises(TooManyConnectionsError, match="pools in env"):
        tuning.pool(spec(user={"env": {"DATABASE_POOL_SIZE": "100"}}))


def test_more_pods_change_nothing_of_the_server() -> None:
    few, many = spec(), spec(**replicas(3))
    assert tuning.parameters(few.databases.postgres) == tuning.parameters(many.databases.postgres)


@pytest.mark.parametrize(
    ("memory", "connections", "buffers"),
    [("512Mi", 128, 128), ("1Gi", 256, 256), ("4G", 953, 953), ("1.5Gi", 384, 384), ("64Gi", 1000, 16384),
     ("536870912", 128, 128), ("536870912000m", 128, 128), ("524288k", 125, 125)],
)  # fmt: skip
def test_memory_decides_of_the_server(memory: str, connections: int, buffers: int) -> None:
    made = tuning.parameters(spec(of_memory(memory)).databases.postgres)
    assert (made["max_connections"], made["shared_buffers"]) == (str(connections), f"{buffers}MB")


@pytest.mark.parametrize(("cpu", "workers"), [("500m", "0"), ("1", "0"), (2, "1"), ("3500m", "3"), (None, None)])
def test_a_cpu_limit_bounds_parallel_queries(cpu: str | int | None, workers: str | None) -> None:
    limits = {"memory": "1Gi"} | ({"cpu": cpu} if cpu else {})
    made = tuning.parameters(spec({"resources": {"limits": limits}}).databases.postgres)
    assert made.get("max_parallel_workers") == workers


def test_without_a_limit_the_request_counts_and_without_either_the_default() -> None:
    def memory(resources: dict[str, Any]) -> str:
        return tuning.memory_of(spec({"resources": resources}).databases.postgres)

    assert memory({"requests": {"memory": "2Gi"}, "limits": {"memory": "4Gi"}}) == "4Gi"
    assert memory({"requests": {"memory": "2Gi"}, "limits": {"cpu": "4"}}) == "2Gi"
    assert memory({"limits": {"cpu": "1"}}) == "512Mi"
    assert tuning.memory_of(spec().databases.postgres) == "512Mi"


@pytest.mark.parametrize(
    ("postgres", "count", "words"),
    [
        (None, 10, "takes 128 connections (512Mi of memory)"),
        (None, 10, "at most 12 of user, 12 of course, 12 of notification) need 152 with the smallest pools"),
        (None, 10, "set spec.databases.postgres.resources.limits.memory to 608Mi or more, or lower replicas"),
        (EXTERNAL, 10, "let the server take 152 and set spec.databases.postgres.maxConnections to it"),
        (of_memory("16Gi"), 100, "use an external server, for an embedded one takes 1000 at most"),
    ],
)
def test_a_refusal_names_the_numbers_and_the_remedy(postgres: dict[str, Any] | None, count: int, words: str) -> None:
    with pytest.raises(TooManyConnectionsError) as refused:
        tuning.pool(spec(postgres, **replicas(count)))
    assert words in str(refused.value)


def test_the_memory_that_a_refusal_names_is_enough() -> None:
    assert tuning.pool(spec(of_memory("608Mi"), **replicas(10))) == Pool(1, 1)


def test_the_charts_defaults_are_what_an_empty_spec_makes() -> None:
    values = yaml.safe_load((ROOT / "charts/smartcourse/values.yaml").read_text(encoding="utf-8"))
    postgres = values["global"]["databases"]["postgres"]
    assert postgres["parameters"] == tuning.parameters(SmartCourseSpec().databases.postgres)
    assert Pool(**postgres["pool"]) == tuning.pool(SmartCourseSpec())


@pytest.mark.parametrize("sample", sorted((ROOT / "manifests/samples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sample_has_a_pool_of_no_few_connections(sample: Path) -> None:
    document = yaml.safe_load(sample.read_text(encoding="utf-8"))
    pool = tuning.pool(SmartCourseSpec.model_validate(document.get("spec") or {}))
    assert pool == (Pool(3, 6) if "external" in sample.stem else Pool(5, 10))
