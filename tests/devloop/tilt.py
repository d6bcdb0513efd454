"""The Tiltfile executed by a Starlark interpreter, against stand-ins of Tilt's functions that record their calls.

Their names and parameters are those of Tilt's API reference (https://docs.tilt.dev/api.html); a call with a parameter
that Tilt does not have fails. `helm` really renders; `local` runs nothing, and answers with what a case says is
installed. What Tilt does with all this is not shown here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import starlark
import yaml

from .sources import ROOT, Document, rendered, workloads

CONTEXT = "kind-smartcourse"
PARAMETERS: dict[str, Sequence[str]] = {
    "allow_k8s_contexts": ["contexts"],
    "docker_build": [
        "ref", "context", "build_args", "dockerfile", "dockerfile_contents", "live_update", "match_in_env_vars",
        "ignore", "only", "entrypoint", "target", "ssh", "network", "secret", "extra_tag", "container_args",
        "cache_from", "pull", "platform", "extra_hosts",
    ],
    "k8s_yaml": ["yaml", "allow_duplicates"],
    "k8s_resource": [
        "workload", "new_name", "port_forwards", "extra_pod_selectors", "trigger_mode", "resource_deps", "objects",
        "auto_init", "pod_readiness", "links", "labels", "discovery_strategy",
    ],
    "local_resource": [
        "name", "cmd", "deps", "trigger_mode", "resource_deps", "ignore", "auto_init", "serve_cmd", "cmd_bat",
        "serve_cmd_bat", "allow_parallel", "links", "labels", "env", "serve_env", "readiness_probe", "dir", "serve_dir",
    ],
    "helm": ["paths", "name", "namespace", "values", "set", "kube_version", "skip_crds"],
    "local": ["command", "quiet", "command_bat", "echo_off", "env", "dir", "stdin"],
    "sync": ["local_path", "remote_path"],
    "fall_back_on": ["paths"],
    "watch_file": ["file_path"],
    "link": ["url", "name"],
    "decode_yaml": ["yaml"],
    "k8s_context": [],
    "fail": ["message"],
    "define_string": ["name", "args", "usage"],
    "define_bool": ["name", "args", "usage"],
    "parse": [],
}  # fmt: skip
PRELUDE = """
config = struct(tilt_subcommand=SUBCOMMAND, define_string=define_string, define_bool=define_bool, parse=parse)
TRIGGER_MODE_AUTO, TRIGGER_MODE_MANUAL = "auto", "manual"
namers = []
def workload_to_resource_function(fn):
    namers.append(fn)
"""
NAMES = (
    "[namers[0](struct(name=name, kind=kind, namespace=namespace, group='')) for name, kind, namespace in WORKLOADS]"
)


class TiltfileError(Exception):
    """The Tiltfile called `fail`, or Tilt's API in a way that it does not have."""


@dataclass
class Tiltfile:
    """What one evaluation declared.

    Attributes:
        calls: the arguments of each call, by function, in order.
        documents: what `k8s_yaml` was given.
        resources: the names that Tilt gives the workloads, each with its workload.
    """

    told: Mapping[str, Any] = field(default_factory=dict)
    context: str = CONTEXT
    subcommand: str = "up"
    installed: Mapping[str, Any] = field(default_factory=dict)
    calls: dict[str, list[dict[str, Any]]] = field(init=False, default_factory=dict)
    documents: list[Document] = field(init=False, default_factory=list)
    resources: dict[str, Document] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        module = starlark.Module()
        for name in PARAMETERS:
            module.add_callable(name, self._recorder(name))
        module["SUBCOMMAND"] = self.subcommand
        self._run(module, "prelude", PRELUDE)
        self._run(module, "Tiltfile", (ROOT / "Tiltfile").read_text("utf-8"))
        found = workloads(self.documents)
        module["WORKLOADS"] = [
            [each["metadata"]["name"], each["kind"], each["metadata"]["namespace"]] for each in found
        ]
        self.resources = dict(zip(self._run(module, "names", NAMES), found, strict=True))
        assert len(self.resources) == len(found), "two workloads have one resource's name"

    def _run(self, module: starlark.Module, name: str, text: str) -> Any:
        dialect = starlark.Dialect.extended()
        dialect.enable_f_strings = False  # Tilt's Starlark has none
        extensions = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
        try:
            return starlark.eval(module, starlark.parse(name, text, dialect), extensions)
        except starlark.StarlarkError as error:
            raise TiltfileError(str(error)) from error

    def _recorder(self, name: str) -> Callable[..., Any]:
        parameters = PARAMETERS[name]
        answer = getattr(self, f"_{name}", lambda **told: told)

        def record(*positional: Any, **named: Any) -> Any:
            unknown = named.keys() - set(parameters)
            if unknown or len(positional) > len(parameters):
                raise TiltfileError(f"{name} has no parameter {', '.join(unknown) or len(positional)}")
            told = dict(zip(parameters, positional, strict=False)) | named
            self.calls.setdefault(name, []).append(told)
            return answer(**told)

        return record

    def _fail(self, message: str) -> None:
        raise TiltfileError(message)

    def _k8s_context(self) -> str:
        return self.context

    def _parse(self) -> dict[str, Any]:
        declared = {call["name"] for kind in ("define_string", "define_bool") for call in self.calls[kind]}
        if unknown := self.told.keys() - declared:
            raise TiltfileError(f"no setting is called {', '.join(unknown)}")
        return dict(self.told)

    def _local(self, **told: Any) -> str:
        return yaml.safe_dump(dict(self.installed)) if "helm" in told["command"] else ""

    def _decode_yaml(self, text: str = "", **told: str) -> Any:
        return yaml.safe_load(told.get("yaml", text))

    def _helm(self, **told: Any) -> str:
        arguments = [told["name"], told["paths"], "--namespace", told["namespace"]]
        arguments += [] if told.get("skip_crds") else ["--include-crds"]
        arguments += [word for file in told.get("values", []) for word in ("--values", file)]
        arguments += [word for value in told.get("set", []) for word in ("--set", value)]
        return yaml.safe_dump_all(rendered(told["paths"], *arguments))

    def _k8s_yaml(self, text: str = "", **told: Any) -> None:
        self.documents += yaml.safe_load_all(told.get("yaml", text))

    def of(self, function: str, key: str) -> dict[str, dict[str, Any]]:
        """Return a function's calls by one of their arguments."""
        return {call[key]: call for call in self.calls.get(function, [])}

    def syncs(self, image: str) -> dict[str, str]:
        """Return where the live update of an image copies which directory."""
        steps = self.of("docker_build", "ref")[image]["live_update"]
        return {step["local_path"]: step["remote_path"] for step in steps if "remote_path" in step}

    def named(self) -> set[str]:
        """Return the names of all resources."""
        return set(itertools.chain(self.resources, self.of("local_resource", "name")))
