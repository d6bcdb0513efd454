"""An edit reaches the running pods: what `skaffold dev` and `tilt up` rest on, on a real cluster.

Each step is taken as `skaffold.yaml` declares it; the programs Skaffold and Tilt are not part of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.kubernetes import Kubectl, eventually

from .. import skaffold
from .cluster import get, restarts, running, sync, wait_until_jobs_are_done, wait_until_rolled_out
from .conftest import OPERATOR, OPERATOR_NAMESPACE, Platform

pytestmark = pytest.mark.timeout(900)  # the first case installs a platform, the last takes it away
RELOAD_SECONDS = 60
SERVICES = ["user", "course", "notification"]


def port(platform: Platform, component: str) -> int:
    """Return the port of a component that is forwarded."""
    ports = {each["resourceName"]: int(each["port"]) for each in platform.module["portForward"]}
    return ports[f"academy-{component}"]


def wait_for(platform: Platform, component: str, path: str, text: str) -> None:
    """Wait until a component's pod answers with the text."""
    started = time.monotonic()

    def seen() -> bool:
        answer = get(platform.kubectl, f"deployment/academy-{component}", port(platform, component), path)
        return answer.status_code == 200 and text in answer.text

    what = f"{component} to answer {path} with {text!r}"
    eventually(seen, timeout_seconds=RELOAD_SECONDS, what=what, every_seconds=0.1)
    print(f"{component}: served after {time.monotonic() - started:.1f} s")


def test_everything_is_deployed_and_every_forwarded_port_answers(platform: Platform) -> None:
    assert wait_until_jobs_are_done(platform.kubectl)
    for each in platform.module["portForward"]:
        answer = get(platform.kubectl, f"service/{each['resourceName']}", each["port"], "/health")
        assert answer.status_code == 200, f"{each['resourceName']}: {answer.text}"


def test_the_verification_passes(platform: Platform) -> None:
    wait_until_jobs_are_done(platform.kubectl)
    (case,) = platform.module["verify"]
    name, container = case["name"], case["container"]
    image = platform.images[container["image"]]
    run = ["run", name, "--restart=Never", f"--image={image}", "--command", "--"]
    platform.kubectl.run(*run, *container["command"], *container["args"])
    platform.kubectl.run("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    assert platform.kubectl.run("logs", name).split() == ["/health", "200", "/api/courses", "200"]
    platform.kubectl.run("delete", "pod", name)


def test_secrets_that_exist_are_left_alone(platform: Platform) -> None:
    before = platform.kubectl.secret("academy-auth")
    platform.kubectl.run("delete", "secret", "academy-admin")
    assert "academy-admin" in platform.make_secrets()
    assert platform.kubectl.secret("academy-auth") == before
    assert platform.kubectl.secret("academy-admin")["password"]
    assert "every Secret exists" in platform.make_secrets()


def test_deploying_the_same_again_replaces_nothing(platform: Platform) -> None:
    wait_until_jobs_are_done(platform.kubectl)
    before = {pod["metadata"]["uid"] for pod in platform.kubectl.list("pods")}
    platform.deploy()
    assert {pod["metadata"]["uid"] for pod in platform.kubectl.list("pods")} == before


def wait_for_log(platform: Platform, component: str, text: str) -> None:
    eventually(
        lambda: text in platform.kubectl.run("logs", f"deployment/academy-{component}", "--tail=200"),
        timeout_seconds=RELOAD_SECONDS, what=f"{component} to say {text!r}",
    )  # fmt: skip


@pytest.mark.parametrize("component", SERVICES)
def test_an_edit_of_a_service_runs_without_a_new_pod(platform: Platform, component: str) -> None:
    image, main = f"{component}-service", f"services/{component}-service/src/{component}_service/main.py"
    before = restarts(platform.kubectl)
    sync(platform.kubectl, platform.images[image], platform.appended(image, main, f"print('edited {component}')"))
    wait_for_log(platform, component, f"edited {component}")
    wait_for(platform, component, "/health/live", '"service"')
    assert restarts(platform.kubectl) == before


def test_an_edit_of_the_shared_code_reaches_every_service(platform: Platform) -> None:
    for component in SERVICES:
        image = f"{component}-service"
        edit = platform.edited(image, "shared/shared/health.py", '"healthy", "service"', '"well", "service"')
        sync(platform.kubectl, platform.images[image], edit)
        wait_for(platform, component, "/health/live", '"status":"well"')


def test_an_edit_of_the_gateway_reaches_both_its_containers(platform: Platform) -> None:
    path = "services/api-gateway/src/api_gateway/docs/index.html"
    edit = platform.edited("api-gateway", path, "<title>SmartCourse API</title>", "<title>Edited</title>")
    reached = sync(platform.kubectl, platform.images["api-gateway"], edit)
    wait_for(platform, "gateway", "/docs", "<title>Edited</title>")
    wait_for(platform, "gateway", "/health", '"status":"up"')
    wait_for(platform, "gateway", "/api/courses", "items")
    assert {container for _, container in reached} == {"nginx", "decide"}


def test_code_that_does_not_run_keeps_its_pod_and_the_next_edit_mends_it(platform: Platform) -> None:
    main, image = "services/user-service/src/user_service/main.py", platform.images["user-service"]
    before = running(platform.kubectl, image)
    sync(platform.kubectl, image, platform.appended("user-service", main, "def broken("))
    wait_for_log(platform, "user", "ended with status")
    sync(platform.kubectl, image, platform.appended("user-service", main, "print('mended')"))
    wait_for_log(platform, "user", "mended")
    wait_for(platform, "user", "/health/live", '"service"')
    assert running(platform.kubectl, image) == before


@pytest.fixture
def operator(platform: Platform, profiles: list[str]) -> Iterator[Kubectl]:
    """The operator as `skaffold dev -m operator` deploys it; afterwards the installed one, as it was."""
    helm, kubectl = platform.helm, platform.kubectl.in_namespace(OPERATOR_NAMESPACE)
    revision = helm.revision(OPERATOR, OPERATOR_NAMESPACE)
    module = skaffold.module("operator", *profiles)
    flags = module["deploy"]["helm"]["flags"]["upgrade"]
    try:
        helm.run("upgrade", *skaffold.helm_arguments(module, platform.images), *flags)
        wait_until_rolled_out(kubectl)
        yield kubectl
    finally:
        helm.run("rollback", OPERATOR, revision, "--namespace", OPERATOR_NAMESPACE)
        wait_until_rolled_out(kubectl)


def test_an_edit_of_the_operator_runs_in_its_pod_and_keeps_what_it_was_told(
    platform: Platform, operator: Kubectl
) -> None:
    told = platform.helm.values(OPERATOR, OPERATOR_NAMESPACE)
    assert told["images"]["user"] == platform.images["user-service"]
    assert told["reload"] is True
    module = skaffold.module("operator")
    (place,) = skaffold.destinations(
        skaffold.artifacts(module)["operator"], "operator/src/smartcourse_operator/__main__.py"
    )
    source = "import sys\nfrom smartcourse_operator.main import main\nprint('edited operator')\nsys.exit(main())\n"
    before = restarts(operator)
    sync(operator, platform.images["operator"], {place: source})
    (pod,) = {name for name, _ in running(operator, platform.images["operator"])}
    eventually(
        lambda: "edited operator" in operator.run("logs", pod),
        timeout_seconds=RELOAD_SECONDS,
        what="the edited operator",
    )
    operator.run("wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=60s")
    assert restarts(operator) == before
