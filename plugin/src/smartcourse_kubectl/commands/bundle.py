"""`support-bundle`: what somebody needs who is to help from elsewhere, without a secret in it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console

from smartcourse_kubectl.adapters.cluster import ApiError, Cluster
from smartcourse_kubectl.adapters.collector import Bounds, Collector
from smartcourse_kubectl.adapters.observer import observe, resolve
from smartcourse_kubectl.commands.arguments import name_argument
from smartcourse_kubectl.commands.logs import Span
from smartcourse_kubectl.core.bundle import Bundle
from smartcourse_kubectl.core.redaction import Redactor, public_words
from smartcourse_kubectl.errors import PluginError
from smartcourse_kubectl.render.tree import tree
from smartcourse_kubectl.session import PIPE_WIDTH, Session, with_session
from smartcourse_kubectl.waiting import teller_since
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import SECRET, Document

LOG_BYTES = 1024 * 1024
HELM_RELEASE = "helm.sh/release.v1"
ABOUT = """\
A support bundle of the SmartCourse {name} in namespace {namespace}, made {made} by kubectl-smartcourse {version}
(Python {python}). status.txt is the place to begin.

Redacted: values of Secrets (their keys are listed) and of environment variables, passwords in URLs, tokens, private
keys, and annotations that repeat an applied manifest. {values}
Logs are the last {lines} lines of each container, {bytes} KiB at most, of the last {hours} hours.
It may still name people: whoever wrote an email address into a log line or an object is not known to this program.

{problems}
"""


@click.command("support-bundle", short_help="Pack what helps others to help, without secrets.")
@name_argument
@click.option("-f", "--file", "target", type=click.Path(dir_okay=False, path_type=Path),
              help="Where to write it; unset means NAME-support-TIME.tar.gz here.")  # fmt: skip
@click.option("--tail", type=click.IntRange(min=1), default=5000, show_default=True, metavar="LINES",
              help="Lines of each container's log.")  # fmt: skip
@click.option("--since", type=Span(), default="24h", show_default=True, metavar="SPAN", help="How far back logs go.")
@with_session
def support_bundle(session: Session, name: str | None, *, target: Path | None, tail: int, since: int) -> None:
    """Pack what helps others to help: the resource, its objects, events, logs, metrics, versions.

    Secrets are redacted: of a Secret only its keys go in, and wherever else a value of one appears, it is blanked out.
    Prints the file's name. Look into it before you hand it on.
    """
    resource = resolve(session.cluster, name)
    metadata, now = resource["metadata"], datetime.now(UTC)
    target = target or Path(f"{metadata['name']}-support-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    secrets, unread = values_of_secrets(session.cluster, metadata["namespace"])
    redactor = Redactor(secrets, public=public_words(metadata["name"], metadata["namespace"]))
    bounds = Bounds(lines=tail, bytes=LOG_BYTES, since_seconds=since)
    try:
        with teller_since(session.err) as tell, Bundle(target, redactor) as bundle:
            bundle.problems += unread
            collector = Collector(session.cluster, bundle, bounds, tell)
            if shown := collector.attempt("status.txt", lambda: drawn(session.cluster, resource, now)):
                bundle.text("status.txt", shown)
            collector.collect(resource)
            bundle.text("README.txt", about(resource, bundle, bounds, now=now, knows_values=not unread))
    except OSError as error:
        raise PluginError(f"{target} cannot be written: {error.strerror}", remedy="Choose another with -f.") from error
    for problem in bundle.problems:
        session.err.print(f"not in it: {problem}", markup=False, soft_wrap=True, style="yellow")
    click.echo(str(target))


def values_of_secrets(cluster: Cluster, namespace: str) -> tuple[list[Document], list[str]]:
    """Return the Secrets whose values are looked for, and why those of a namespace are not if they may not be read."""
    found: list[Document] = []
    problems: list[str] = []
    for place in dict.fromkeys((namespace, names.OPERATOR_NAMESPACE)):
        try:
            found += cluster.select(SECRET, place) or []
        except ApiError as error:
            if error.status != 403:
                raise
            problems.append(f"values of the Secrets in namespace {place}, to look for them in logs: {error}")
    return [one for one in found if one.get("type") != HELM_RELEASE], problems


def drawn(cluster: Cluster, resource: Document, now: datetime) -> str:
    console = Console(width=PIPE_WIDTH, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(tree(observe(cluster, resource), now))
    return capture.get()


def about(resource: Document, bundle: Bundle, bounds: Bounds, *, now: datetime, knows_values: bool) -> str:
    problems = "\n".join(f"- {problem}" for problem in bundle.problems)
    return ABOUT.format(
        name=resource["metadata"]["name"],
        namespace=resource["metadata"]["namespace"],
        made=f"{now:%Y-%m-%d %H:%M:%S} UTC",
        version=version("smartcourse-kubectl"),
        python=platform.python_version(),
        values="Every value that the Secrets here hold was looked for in all files and blanked out."
        if knows_values
        else "Not all Secrets could be read, so a value of theirs may be left: LOOK before handing it on.",
        lines=bounds.lines,
        bytes=bounds.bytes // 1024,
        hours=bounds.since_seconds // 3600,
        problems=f"What could not be had:\n{problems}" if problems else "Everything that is asked for could be had.",
    )
