"""The steps of `make cluster` and `make up`, in an order in which the longest way starts first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from smartcourse_dev import (
    addons,
    application,
    assembly,
    catalogue,
    cluster,
    definitions,
    docker,
    engine,
    golang,
    images,
    plugin,
    registry,
)
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import Settings
from smartcourse_dev.shell import Log
from smartcourse_dev.steps import Step

# The registry first, for every other image is pushed into it; then Kubernetes, which takes as long as all the rest.
GO_MODULES = ["tools", "registry", "kubernetes", "containerd", "etcd", "coredns", "kind", "local-path-provisioner",
              "metrics-server", "helm"]  # fmt: skip
PULLED = ("node", "registry", "python", "helm")  # the others are pulled by the nodes themselves
BOOKWORM = "python-bookworm"
NODE_IMAGES = ("pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns",
               "local-path-provisioner")  # fmt: skip


def cluster_steps(settings: Settings, source: Source) -> Iterator[Step]:
    """Yield everything up to a cluster that answers on its HTTP port."""
    yield from (offline_steps() if source is Source.OFFLINE else upstream_steps())
    needed = ["registry", "image node", assembly.go_step("kind")]
    if source is Source.OFFLINE:
        needed += ["image base", *[f"image {name}" for name in NODE_IMAGES]]
    yield Step(
        "cluster",
        partial(cluster.ensure, settings, source),
        after=needed,
        is_done=partial(cluster.is_up, settings),
        remedy=f"see `docker logs {settings.cluster}-control-plane`, and that port {settings.http_port} is free",
    )
    yield Step("kind and kubectl", partial(cluster.install_programs, settings, source), after=["cluster"],
               is_done=cluster.has_programs)  # fmt: skip
    yield Step("kubectl smartcourse", plugin.install, is_done=plugin.is_installed)
    yield Step("nodes", partial(cluster.wait_for_nodes, settings), after=["kind and kubectl"])
    yield Step("registry is announced", partial(addons.announce_registry, settings), after=["nodes"])
    yield Step("cluster dns", partial(addons.wait_for_dns, settings), after=["nodes"])
    yield from definitions.steps(*addons.DEFINED_BY.values())
    for name in addons.ADDONS:
        needed = [f"image {name}"] if source is Source.OFFLINE else []
        needed += [addons.DEFINED_BY[name].step] if name in addons.DEFINED_BY else []
        yield Step(name, partial(addons.install, name, settings, source), after=["nodes", *needed])

    yield Step("ingress answers", partial(addons.wait_for_ingress, settings), after=["traefik"])


def offline_steps() -> Iterator[Step]:
    """Yield the engine and all images but ours, built from package registries."""
    builds = list(assembly.go_steps(GO_MODULES))
    yield builds[0]
    yield Step("docker engine", engine.ensure, after=[assembly.go_step("tools")], is_done=docker.is_reachable)
    yield from builds[1:]
    by_name = {recipe.name: recipe for recipe in assembly.ASSEMBLED}
    yield assembly.image_step(by_name.pop("registry"))
    reference = catalogue.reference("registry", Source.OFFLINE)
    yield Step("registry", partial(ensure_registry, reference), after=["image registry"], is_done=registry.is_running)
    yield Step("image base", assembly.build_base, after=["registry"], is_done=assembly.base_is_current,
               remedy="see that Debian's package archive can be reached")  # fmt: skip
    yield assembly.image_step(by_name.pop("python"))
    for recipe in by_name.values():
        yield assembly.image_step(recipe)


def ensure_registry(reference: str, log: Log) -> None:
    registry.ensure(log, reference)


def upstream_steps() -> Iterator[Step]:
    """Yield the engine and all images but ours, pulled. Go builds only what is not on PATH."""
    wrapper = [assembly.go_step("tools")] if engine.needs_wrapper() and not docker.is_reachable() else []
    if wrapper:
        yield from assembly.go_steps(["tools"])
    yield Step("docker engine", engine.ensure, after=wrapper, is_done=docker.is_reachable)
    (kind,) = assembly.go_steps(["kind"])
    yield Step(
        kind.name,
        kind.action,
        is_done=lambda: cluster.has_kind_on_path() or golang.is_built("kind"),
        remedy=kind.remedy,
    )
    pulled = {name: catalogue.reference(name, Source.UPSTREAM) for name in PULLED}
    for name, reference in (pulled | {BOOKWORM: catalogue.bookworm(Source.UPSTREAM)}).items():
        yield Step(
            f"image {name}", partial(pull, reference), after=["docker engine"], is_done=partial(is_pulled, reference)
        )
    reference = catalogue.reference("registry", Source.UPSTREAM)
    yield Step("registry", partial(ensure_registry, reference), after=["image registry"], is_done=registry.is_running)


def pull(reference: str, log: Log) -> None:
    docker.pull(log, reference)


def is_pulled(reference: str) -> bool:
    return bool(docker.image_id(reference))


def image_steps(source: Source) -> Iterator[Step]:
    """Yield the builds of the project's own images."""
    for component in images.EVERY:
        after = ["registry", "image python", *(["image helm"] if component == "operator" else [])]
        if component in images.JOBS and source is Source.UPSTREAM:
            after.append(f"image {BOOKWORM}")
        yield Step(f"build {component}", partial(images.build, component, source), after=after,
                   is_done=partial(images.is_current, component, source), lane="build")  # fmt: skip


def up_steps(settings: Settings, source: Source) -> Iterator[Step]:
    """Yield everything: cluster, images, operator, sample, Ready."""
    yield from cluster_steps(settings, source)
    yield from image_steps(source)
    built = [f"build {component}" for component in images.COMPONENTS | images.JOBS]
    if source is Source.OFFLINE:
        built += [f"image {name}" for name in application.DATASTORES]
    yield Step(
        "operator", partial(application.install_operator, settings, source), after=["nodes", "image helm", *built]
    )
    yield Step("mailbox", partial(addons.install, "mailbox", settings, source), after=["nodes", "build mailbox"])
    yield Step("sample", partial(application.apply_sample, settings), after=["operator"])
    yield Step("academy is Ready", partial(application.wait_until_ready, settings, source),
               after=["sample", "cluster dns", "ingress answers", "metrics-server", "mailbox"])  # fmt: skip
