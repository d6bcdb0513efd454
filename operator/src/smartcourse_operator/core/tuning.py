"""Connections to PostgreSQL and its memory: what the services may open, and what the server is started with.

    most pods of each service x what a pod may open + what else connects <= max_connections

The pods are counted at the most that the spec allows, never as they are now, and `max_connections` follows from the
memory alone. So autoscaling changes no number, and no change of replicas restarts PostgreSQL. All services get the same
pool, one of few sizes, so that most changes of replicas leave the services' pods alone too; another size replaces them
one by one, and those that are still to be replaced have the former size.

A pod is one process (`granian --workers 1`), and a process has one pool: more CPU is used by more pods, not processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from smartcourse_operator.core.drift import quantity
from smartcourse_operator.core.spec import DatabaseMode, PostgresDatabase, Service, SmartCourseSpec

LISTENING = {"user": 1, "course": 2, "notification": 2}
"""Connections of a pod beside its pool, by service: those that LISTEN (`shared.events.wakeup`).

One is for the outbox of user- and of course-service, course-service's other one for certificates to print;
notification-service has one for mail and one for push messages.
"""

RESERVED = {
    "superuser_reserved_connections": 3,  # PostgreSQL's default
    "provisioning": 1,
    "migrations": 3,
    "seeds": 9,  # user-service's one; course-service's, which does eight things at once
    "backup": 2,  # the one that holds the snapshot, and pg_dump's
    "people and exporters": 2,
}
"""What connects beside the services' pods. Their init containers are not here: they end before the pool opens."""

POOLS = (15, 12, 9, 6, 3, 2)
"""Connections of a pool, most first. Fewer than two would let one task in the background hold every request up."""

DEFAULT_MEMORY = "512Mi"
"""The charts' memory limit of PostgreSQL (charts/lib, `_resources.tpl`)."""
MIB_PER_CONNECTION = 4
"""The reasons are those of `parameters`."""
MOST_CONNECTIONS = 1000
EXTERNAL_CONNECTIONS = 100
"""PostgreSQL's own default of `max_connections`, which a server outside is taken to have."""


class TooManyConnectionsError(Exception):
    """The services could open more connections than PostgreSQL takes, even with the smallest pools."""

    reason = "TooManyConnections"


@dataclass(frozen=True)
class Pool:
    """A pod's pool: connections that are kept open, and those that are closed after use."""

    size: int
    overflow: int

    @classmethod
    def of(cls, connections: int) -> Pool:
        """Return the pool that keeps a third of its connections open; `parameters` counts on that."""
        size = max(1, connections // 3)
        return cls(size, connections - size)


def pool(spec: SmartCourseSpec) -> Pool:
    """Return the largest pool that every pod may have.

    Raises:
        TooManyConnectionsError: not even the smallest fits; the message says what would.
    """
    allowed = max_connections(spec.databases.postgres)
    for each in map(Pool.of, POOLS):
        if needed_connections(spec, each) <= allowed:
            return each
    raise TooManyConnectionsError(_refusal(spec, allowed))


def needed_connections(spec: SmartCourseSpec, given: Pool) -> int:
    """Return the most connections that there can be when each pod has the `given` pool, or what its `env` says."""
    of_pods = 0
    for name, listening in LISTENING.items():
        service: Service = getattr(spec.services, name)
        of_pods += most_pods(spec, service) * (_pool_of(service, given) + listening)
    return of_pods + sum(RESERVED.values())


def most_pods(spec: SmartCourseSpec, service: Service) -> int:
    """Return how many pods of a service there can be.

    A rollout makes one more (`maxSurge: 1`); when that serves, one that it replaces leaves, and may still be answering
    what it was asked while the next one starts. Of two pods or more that is two more; of one, there is no next one.
    """
    pods = service.autoscaling.max_replicas if service.autoscaling else spec.replicas_of(service)
    return min(pods + 2, 2 * pods)


def max_connections(postgres: PostgresDatabase) -> int:
    """Return how many connections the server takes."""
    if postgres.mode is DatabaseMode.EXTERNAL:
        return postgres.max_connections or EXTERNAL_CONNECTIONS
    return min(_mebibytes(postgres) // MIB_PER_CONNECTION, MOST_CONNECTIONS)


def parameters(postgres: PostgresDatabase) -> dict[str, str]:
    """Return what the server is started with; nothing for one outside, which is not ours to start.

    After https://www.postgresql.org/docs/15/runtime-config-resource.html and runtime-config-query.html:

    - shared_buffers: 25 % is "a reasonable starting value"; with less than 1 GB it is less for the operating system's
      sake, which has no part in a container's limit.
    - max_connections: one for 4 MiB, of which shared_buffers leaves 3. A new session takes 1.2 MiB of its own, one with
      a hundred statements prepared 5.5 MiB (measured on our tables), and a pool keeps a third of its sessions for long.
    - work_mem: a session may use it several times, and each process of a parallel query. At most 8 MB: a parallel hash
      join of three processes with hash_mem_multiplier 2 must fit in the 64 MB that a container has as /dev/shm.
    - maintenance_work_mem: up to autovacuum_max_workers (three) "times this memory may be allocated".
    - effective_cache_size: what the planner assumes, not what is taken: shared_buffers and as much of the page cache.
    - max_parallel_workers: no more than a CPU limit leaves beside the process that asks; without one it stays as it is.
    """
    if postgres.mode is DatabaseMode.EXTERNAL:
        return {}
    mebibytes = _mebibytes(postgres)
    cpu = ((postgres.resources and postgres.resources.limits) or {}).get("cpu")
    return {
        "max_connections": str(max_connections(postgres)),
        "shared_buffers": f"{mebibytes // 4}MB",
        "work_mem": f"{min(max(mebibytes // 128, 1), 8)}MB",
        "maintenance_work_mem": f"{min(max(mebibytes // 16, 1), 1024)}MB",
        "effective_cache_size": f"{mebibytes // 2}MB",
        **({"max_parallel_workers": str(max(ceil(_number(cpu)) - 1, 0))} if cpu else {}),
    }


def memory_of(postgres: PostgresDatabase) -> str:
    """Return the quantity that the embedded server may use or, where nothing limits it, is sure to have."""
    given = postgres.resources
    limits, requests = (given.limits or {}, given.requests or {}) if given else ({}, {})
    return str(limits.get("memory") or requests.get("memory") or DEFAULT_MEMORY)


def _number(given: str | int) -> Decimal:
    number = quantity(given)
    if number is None:
        raise ValueError(f"{given} is no quantity")
    return number


def _mebibytes(postgres: PostgresDatabase) -> int:
    return int(_number(memory_of(postgres)) / 2**20)


def _pool_of(service: Service, given: Pool) -> int:
    """Return how many connections one pod's pool has. What is not a number in `env` keeps the service from starting."""
    env = service.env or {}
    own = {"DATABASE_POOL_SIZE": given.size, "DATABASE_MAX_OVERFLOW": given.overflow}
    return sum(int(env[name]) if env.get(name, "").isdecimal() else number for name, number in own.items())


def _refusal(spec: SmartCourseSpec, allowed: int) -> str:
    postgres, least = spec.databases.postgres, needed_connections(spec, Pool.of(POOLS[-1]))
    pods = ", ".join(f"{most_pods(spec, getattr(spec.services, name))} of {name}" for name in LISTENING)
    if postgres.mode is DatabaseMode.EXTERNAL:
        given = "spec.databases.postgres.maxConnections"
        remedy = f"let the server take {least} and set {given} to it"
    else:
        given = f"{memory_of(postgres)} of memory"
        remedy = f"set spec.databases.postgres.resources.limits.memory to {least * MIB_PER_CONNECTION}Mi or more"
        if least > MOST_CONNECTIONS:
            remedy = f"use an external server, for an embedded one takes {MOST_CONNECTIONS} at most"
    return (
        f"PostgreSQL takes {allowed} connections ({given}), and the services' pods (with a rollout's at most {pods}) "
        f"need {least} with the smallest pools: {remedy}, or lower replicas, autoscaling.maxReplicas or pools in env."
    )
