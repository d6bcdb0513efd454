"""`open` and `admin-password`: the ways in."""

from __future__ import annotations

import base64
import webbrowser

import click

from smartcourse_kubectl.adapters.observer import resolve
from smartcourse_kubectl.commands.arguments import name_argument
from smartcourse_kubectl.core.view import view
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import Session, with_session
from smartcourse_operator.core.objects import SECRET


@click.command("open", short_help="Print the URL and open it.")
@name_argument
@click.option("--print", "only_print", is_flag=True, help="Print the URL and open nothing.")
@with_session
def open_url(session: Session, name: str | None, *, only_print: bool) -> None:
    """Print a SmartCourse's URL, and open it in a browser if this is a terminal."""
    shown = view(resolve(session.cluster, name))
    if not shown.url:
        raise PluginError(
            f"The SmartCourse {shown.name} has no URL yet; it waits for {shown.waits_for}",
            remedy=f"`kubectl smartcourse status {shown.name} -n {shown.namespace} --watch` shows how it gets on.",
            code=Exit.NO,
        )
    click.echo(shown.url)
    if not only_print and session.out.is_terminal:
        try:
            webbrowser.get().open(shown.url)
        except webbrowser.Error:
            session.err.print("There is no browser here to open it in.")


@click.command("admin-password", short_help="Print the administrator's password.")
@name_argument
@click.option("--email", is_flag=True, help="Print the administrator's email address, the login's other half.")
@with_session
def admin_password(session: Session, name: str | None, *, email: bool) -> None:
    """Print the administrator's password, and nothing else.

    It is the one that was generated; a password that was changed in the application since is known there only.
    """
    metadata = resolve(session.cluster, name)["metadata"]
    secret, key = f"{metadata['name']}-admin", "email" if email else "password"
    found = session.cluster.find(SECRET, metadata["namespace"], secret)
    value = ((found or {}).get("data") or {}).get(key)
    if value is None:
        raise PluginError(
            f"The Secret {secret} in namespace {metadata['namespace']} " + (f"has no {key}." if found else "is gone."),
            remedy="The operator makes it before anything else: `kubectl smartcourse status` says what it waits for.",
        )
    click.echo(base64.b64decode(value).decode())
