"""The commands behind the Makefile."""

from __future__ import annotations

import fcntl
import importlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console

from smartcourse_dev import application, catalogue, cluster, docker, images, plan, status
from smartcourse_dev.progress import reporter
from smartcourse_dev.settings import CACHE, LOGS, Settings, SettingsError
from smartcourse_dev.shell import StepError
from smartcourse_dev.steps import PARALLEL, Runner, Step

INTERRUPTED = 130
PIPE_WIDTH = 160
HELP = """\
make up         cluster, images, operator and the sample `academy`: from a bare machine to Ready
make status     what runs, whether it is Ready, and how much memory it takes
make down       delete the cluster; what is cached stays
make cluster    the cluster alone: no operator, no sample
make compose    the platform without a cluster: docker compose on http://localhost:8000
make skaffold   build Skaffold where it is not installed, and say what to put on PATH
make env        write .env for Compose and for services run by hand; what it says already stays
make check      lint, types, imports, scripts, Dockerfiles, generated files
make test       checks, unit, integration, the platform as processes, by Compose and in virtual environments,
                and the core of the end-to-end cases (in a cluster of its own)
make test-full  the same with all end-to-end cases, more random requests, broken defences, drained nodes, and Skaffold
make bench      the benchmarks, ours beside a rival; one of them: make bench-gateway, -reading, -login, -enrolling
                or -operator, which needs the cluster of make up
make generate   write the files that are made from others; UPGRADE=1: with the newest versions that the pins may have
make images     print every image of the project with the tag that its content gives it

Variables: CLUSTER (smartcourse), HTTP_PORT (8080), NODES (1), IMAGES (upstream | offline; unset: as the cluster was
made, else probe)
"""


@contextmanager
def alone(console: Console) -> Iterator[None]:
    """Let one run at a time work on the caches, logs and the engine, whatever its cluster."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "run.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("Another run is under way; waiting for it to end.", highlight=False)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_steps(console: Console, steps: Iterable[Step]) -> bool:
    """Run the steps while nobody else runs any, and print what failed."""
    with alone(console):
        return follow(console, steps)


def follow(console: Console, steps: Iterable[Step], *, parallel: int = PARALLEL) -> bool:
    """Run the steps, which share nothing with another checkout's, and print what failed."""
    started = time.monotonic()
    with reporter(console) as shown:
        runner = Runner(list(steps), LOGS, shown, parallel)
        done = runner.run()
    for failure in runner.failures():
        Console(stderr=True).print(f"\n{failure}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{'Done' if done else 'Stopped'} after {time.monotonic() - started:.0f} s.", highlight=False, soft_wrap=True
    )
    return done


def up(settings: Settings, console: Console) -> int:
    if not run_steps(console, plan.up_steps(settings, chosen_source(settings, console))):
        return 1
    application.show_next_steps(settings, console)
    return 0


def cluster_only(settings: Settings, console: Console) -> int:
    if not run_steps(console, plan.cluster_steps(settings, chosen_source(settings, console))):
        return 1
    console.print(
        f"The cluster answers: context {settings.context}, {settings.public_url}", highlight=False, soft_wrap=True
    )
    return 0


def chosen_source(settings: Settings, console: Console) -> catalogue.Source:
    source = cluster.source(settings)
    from_where = (
        "pulled from their registries"
        if source is catalogue.Source.UPSTREAM
        else "assembled here from package registries"
    )
    console.print(
        f"Cluster {settings.cluster}, {settings.nodes} node(s); images are {from_where}. Logs: {LOGS}", highlight=False
    )
    return source


def down(settings: Settings, console: Console) -> int:
    if not docker.is_reachable() or not cluster.nodes(settings):
        console.print(f"There is no cluster {settings.cluster}.", highlight=False, soft_wrap=True)
        return 0
    steps = [Step("delete the cluster", lambda log: cluster.delete(settings, log))]
    return 0 if run_steps(console, steps) else 1


def show_images(settings: Settings, _: Console) -> int:
    made = cluster.made(settings)
    return images.main(catalogue.choose(settings.images or (made.source if made else "")))


def show_help(_: Settings, console: Console) -> int:
    console.print(HELP, highlight=False, markup=False)
    return 0


def elsewhere(module: str, *arguments: str) -> Callable[[Settings, Console], int]:
    """Return a command that is another module's `main`; it is imported only when it is asked for."""

    def command(_: Settings, __: Console) -> int:
        code: int = importlib.import_module(f"smartcourse_dev.{module}").main(*arguments)
        return code

    return command


COMMANDS: dict[str, Callable[[Settings, Console], int]] = {
    "up": up,
    "down": down,
    "status": status.show,
    "cluster": cluster_only,
    "images": show_images,
    "help": show_help,
    "check": elsewhere("check"),
    "compose": elsewhere("compose"),
    "env": elsewhere("env"),
    "generate": elsewhere("generate"),
    "skaffold": elsewhere("skaffold"),
    "bench": elsewhere("bench"),
    "test": elsewhere("suite", "test"),
    "test-full": elsewhere("suite", "test-full"),
}


def console() -> Console:
    """Return the console; a file or a pipe has no width to fit tables into."""
    found = Console()
    return found if found.is_terminal else Console(width=PIPE_WIDTH)


def found(name: str) -> Callable[[Settings, Console], int] | None:
    """Return the command of a name; `bench-<name>` is one of the benchmarks."""
    verb, _, which = name.partition("-")
    return elsewhere("bench", which) if verb == "bench" and which else COMMANDS.get(name)


def main(arguments: list[str]) -> int:
    command = found(arguments[0]) if len(arguments) == 1 else None
    if command is None:
        sys.stderr.write(f"Which command? One of: {', '.join(COMMANDS)}, bench-<name>\n")
        return 2
    try:
        return command(Settings.from_environment(), console())
    except (SettingsError, StepError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command continues where this one stopped.\n")
        return INTERRUPTED
