"""`skaffold dev -m operator`: the checkout's operator in place of the installed one, which is put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.kubernetes import Kubectl

from .cluster import Helm, running, wait_until_rolled_out
from .conftest import OPERATOR, OPERATOR_NAMESPACE
from .program import Session, Skaffold

pytestmark = pytest.mark.timeout(900)  # the operator is built, installed and put back
MAIN = "operator/src/smartcourse_operator/__main__.py"


@pytest.fixture
def operator(context: str) -> Kubectl:
    return Kubectl(context=context, namespace=OPERATOR_NAMESPACE)


@pytest.fixture
def installed(helm: Helm) -> dict[str, Any]:
    """What `make up` told the operator."""
    return helm.values(OPERATOR, OPERATOR_NAMESPACE)


@pytest.fixture
def session(installed: dict[str, Any], skaffold: Skaffold, helm: Helm, operator: Kubectl) -> Iterator[Session]:
    """Ctrl-C would uninstall the operator; here it stays, so that the installed one can be put back as it was."""
    assert installed
    revision = helm.revision(OPERATOR, OPERATOR_NAMESPACE)
    try:
        with skaffold.dev("operator", "--cleanup=false") as found:
            yield found
    finally:
        helm.run("rollback", OPERATOR, revision, "--namespace", OPERATOR_NAMESPACE)
        wait_until_rolled_out(operator)
        assert helm.values(OPERATOR, OPERATOR_NAMESPACE) == installed


def test_an_edit_of_the_operator_runs_in_its_pod_and_keeps_what_it_was_told(
    installed: dict[str, Any], session: Session, skaffold: Skaffold, helm: Helm, operator: Kubectl
) -> None:
    told = helm.values(OPERATOR, OPERATOR_NAMESPACE)
    assert told.pop("reload") is True
    assert told.pop("image").startswith("localhost:5001/operator:")
    assert told == {name: value for name, value in installed.items() if name != "image"}
    before = running(operator)
    said = len(session.output())
    source = (skaffold.checkout / MAIN).read_text("utf-8")
    (skaffold.checkout / MAIN).write_text(f"print('edited operator')\n{source}", encoding="utf-8")
    session.wait_for("edited operator", after=said, timeout_seconds=60)
    operator.run("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    assert running(operator) == before
