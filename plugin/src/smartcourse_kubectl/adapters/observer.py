"""Finding SmartCourses, and what belongs to one."""

from __future__ import annotations

from smartcourse_kubectl.adapters.cluster import ApiError, Cluster
from smartcourse_kubectl.core.view import View, view
from smartcourse_kubectl.errors import PluginError
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import POD, SMART_COURSE, VOLUME_CLAIM, Document


def smart_courses(cluster: Cluster, namespace: str = "") -> list[Document]:
    """Return the SmartCourses of a namespace, or of all.

    Raises:
        PluginError: the cluster does not know the kind.
    """
    found = cluster.select(SMART_COURSE, namespace)
    if found is None:
        raise PluginError(
            f"The cluster of context {cluster.context} does not know {names.PLURAL}.{names.GROUP}.",
            remedy="Install the operator: `make up` on a machine of your own, else `kubectl apply --server-side -f "
            "manifests/crd/` and `helm upgrade --install smartcourse-operator charts/smartcourse-operator "
            "--namespace smartcourse-system --create-namespace`.",
        )
    return sorted(found, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]))


def resolve(cluster: Cluster, name: str | None) -> Document:
    """Return the SmartCourse of a name, or the only one in the namespace.

    Raises:
        PluginError: there is none of that name, or several and no name was given.
    """
    here = smart_courses(cluster, cluster.namespace)
    if name is None and len(here) == 1:
        return here[0]
    if name is not None and (found := next((one for one in here if one["metadata"]["name"] == name), None)):
        return found
    listed = ", ".join(one["metadata"]["name"] for one in here)
    if name is None and here:
        raise PluginError(f"Namespace {cluster.namespace} has several SmartCourses: {listed}.", remedy="Name one.")
    what = f"no SmartCourse {name}" if name else "no SmartCourse"
    raise PluginError(f"There is {what} in namespace {cluster.namespace}.", remedy=elsewhere(cluster, listed))


def elsewhere(cluster: Cluster, listed: str) -> str:
    """Return where SmartCourses are, as far as we may see."""
    if listed:
        return f"There are: {listed}."
    try:
        found = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in smart_courses(cluster)]
    except ApiError:
        return "Another namespace is chosen with -n."
    if not found:
        return "There is none in any namespace: `kubectl apply -f manifests/samples/academy.yaml` makes one."
    return "Elsewhere there are: " + ", ".join(f"{name} (-n {namespace})" for namespace, name in found) + "."


def observe(cluster: Cluster, document: Document) -> View:
    """Return the view of a SmartCourse with its pods and volumes."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    selector = names.instance_selector(name)
    return view(
        document,
        pods=cluster.select(POD, namespace, selector) or (),
        claims=cluster.select(VOLUME_CLAIM, namespace, selector) or (),
    )


def look(cluster: Cluster, namespace: str, name: str) -> View:
    """Return the view of a SmartCourse as it is now, without its pods.

    Raises:
        PluginError: it has gone.
    """
    found = cluster.find(SMART_COURSE, namespace, name)
    if found is None:
        raise PluginError(f"The SmartCourse {name} in namespace {namespace} has been deleted.")
    return view(found)
