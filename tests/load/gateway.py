"""The gateway beside its rivals, in front of the same 2 KB upstream, in one run.

Ours is the real thing with everything on (nginx, the decision process, Redis): it verifies the token, counts the
request against a limit, looks revocations up, signs the identity and writes an access log. Rivals take turns with it,
and a ratio is the median of the turns' ratios: what else the machine does weighs on both alike. Needs `wrk`,
`nginx-light` and `redis-server` (Debian's). Writes build/bench/gateway.json.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.load.doors import (
    PATH,
    ROOT,
    Street,
    open_envoy,
    open_guide_proxy,
    open_nginx,
    open_ours,
    open_traefik_asking,
    open_traefik_before_ours,
    street,
    tokens,
    wait_served,
)
from tests.load.harness import SECONDS, Contestant, compare, row, write
from tests.load.rotating import rotation

CONNECTIONS = (32, 256)
STORM_PER_SECOND = 1000
COMPONENTS = ("nginx", "decision")
REMEMBERED = (10_000, 1_000_000)
MEBIBYTE = 2**20


def write_script(folder: Path, bearers: list[str]) -> Path:
    """Make each connection take the users in turn, so that nothing is fast for being about one user only."""
    listed = ",".join(f'"{token}"' for token in bearers)
    path = folder / "users.lua"
    path.write_text(
        f"local tokens, made, i = {{{listed}}}, {{}}, 0\n"
        "init = function() for n, token in ipairs(tokens) do\n"
        '  made[n] = wrk.format("GET", nil, {["Authorization"] = "Bearer " .. token}) end end\n'
        "request = function() i = i % #made + 1 return made[i] end\n",
        encoding="utf-8",
    )
    return path


def rivals(built: Street, bearers: list[str], script: Path) -> Iterator[tuple[Contestant, str, str | None]]:
    """Open each rival's door in turn; yield it with its goals for requests a second and for the p99."""
    for name, door, goal, slowest in (
        ("Envoy jwt_authn", open_envoy, ">= 1.0", "<= 1.5"),
        ("Traefik ForwardAuth, same decision", open_traefik_asking, ">= 4", None),
        ("the guide's FastAPI + httpx", open_guide_proxy, ">= 40", None),
        ("ours behind Traefik's ingress", open_traefik_before_ours, "printed", None),
        ("plain nginx (the limit)", open_nginx, "printed", None),
    ):
        rival = Contestant(name, f"http://127.0.0.1:{door(built)}{PATH}", script=script)
        wait_served(name, rival.url, bearers[0], verifies=door is not open_nginx)
        yield rival, goal, slowest
        built.processes.popitem()[1].stop()


def compared(built: Street, ours: Contestant, bearers: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for rival, goal, slowest in rivals(built, bearers, ours.script or Path()):
        for connections in CONNECTIONS:
            ratio = compare(ours, rival, connections=connections)
            what = f"gateway, {connections} connections"
            mine, its = statistics.median(ours.rates), statistics.median(rival.rates)
            rows.append(row(f"{what}: authenticated GET, 2 KB", ours=mine, rival=its, rival_name=rival.name,
                            unit="req/s", ratio=ratio, goal=goal))  # fmt: skip
            if slowest is not None:
                mine, its = statistics.median(ours.p99), statistics.median(rival.p99)
                rows.append(row(f"{what}: p99", ours=mine, rival=its, rival_name=rival.name, unit="ms",
                                ratio=mine / its, goal=slowest))  # fmt: skip
    return rows


def spent(built: Street, ours: Contestant) -> list[dict[str, Any]]:
    """Return the processor time of a request by component, beside the sum of all."""
    before = {name: built.cpu_seconds(name) for name in COMPONENTS}
    ours.rates.clear()
    ours.measure(connections=CONNECTIONS[0], seconds=SECONDS)
    requests = ours.rates[0] * SECONDS
    used = {name: (built.cpu_seconds(name) - before[name]) / requests * 1e6 for name in COMPONENTS}
    total = sum(used.values())
    return [
        row(f"gateway: processor time of a request, {name}", ours=each, rival=total, rival_name="both together",
            unit="µs", ratio=each / total, goal="printed")
        for name, each in used.items()
    ]  # fmt: skip


@contextmanager
def storm(built: Street) -> Iterator[None]:
    """Revoke a thousand sessions a second that nobody uses."""
    stopped = threading.Event()

    def blow() -> None:
        number = 0
        while not stopped.wait(0.1):
            for _ in range(STORM_PER_SECOND // 10):
                number += 1
                built.revoke(f"nobody{number}")

    blowing = threading.Thread(target=blow)
    blowing.start()
    try:
        yield
    finally:
        stopped.set()
        blowing.join()


def stormy(built: Street, ours: Contestant) -> dict[str, Any]:
    """Return the p99 during a storm of revocations beside that of calm."""
    worst = {}
    for name, weather in (("calm", None), ("storm", storm)):
        ours.p99.clear()
        for _ in range(3):
            if weather is None:
                ours.measure(connections=CONNECTIONS[0], seconds=SECONDS)
            else:
                with weather(built):
                    ours.measure(connections=CONNECTIONS[0], seconds=SECONDS)
        worst[name] = statistics.median(ours.p99)
    return row(f"gateway: p99 while {STORM_PER_SECOND} sessions a second are revoked", ours=worst["storm"],
               rival=worst["calm"], rival_name="ours in calm", unit="ms", ratio=worst["storm"] / worst["calm"],
               goal="printed")  # fmt: skip


def rotated(built: Street, bearers: list[str], script: Path) -> dict[str, Any]:
    """Return the worst round's p99 while the tokens' key is rotated beside that of calm, both behind Traefik.

    As many rounds as the rotation takes, and as many after it. No request may fail.
    """
    ours = Contestant("ours behind Traefik", f"http://127.0.0.1:{open_traefik_before_ours(built)}{PATH}", script=script)
    wait_served(ours.name, ours.url, bearers[0])
    with rotation(built, ours.url) as is_rotating:
        while is_rotating():
            ours.measure(connections=CONNECTIONS[0], seconds=SECONDS)
    rounds = len(ours.p99)
    for _ in range(rounds):
        ours.measure(connections=CONNECTIONS[0], seconds=SECONDS)
    turning, calm = max(ours.p99[:rounds]), max(ours.p99[rounds:])
    what = "gateway: worst round's p99 while the tokens' key is rotated (two rollouts, behind Traefik)"
    return row(what, ours=turning, rival=calm, rival_name="the same in calm", unit="ms", ratio=turning / calm,
               goal="printed")  # fmt: skip


def remembered() -> list[dict[str, Any]]:
    """Return the memory of a verifier that has met so many tokens, beside that of one that has met none."""
    rows = []
    for number in REMEMBERED:
        command = [sys.executable, "-m", "tests.load.remembering", str(number)]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600).stdout
        empty, full = (int(value) / MEBIBYTE for value in answer.split())
        rows.append(
            row(f"gateway: memory after {number:,} distinct tokens", ours=full, rival=empty, rival_name="after none",
                unit="MiB", ratio=full / empty, goal="printed")
        )  # fmt: skip
    return rows


def main() -> None:
    with street() as built:
        bearers = tokens(built.secret)
        script = write_script(built.folder, bearers)
        ours = Contestant("nginx + decision", f"http://127.0.0.1:{open_ours(built)}{PATH}", script=script)
        wait_served(ours.name, ours.url, bearers[0])
        parts: list[Callable[[], list[dict[str, Any]]]] = [
            lambda: compared(built, ours, bearers),
            lambda: spent(built, ours),
            lambda: [stormy(built, ours)],
            lambda: [rotated(built, bearers, script)],
            remembered,
        ]
        write("gateway", [each for part in parts for each in part()])


if __name__ == "__main__":
    main()
