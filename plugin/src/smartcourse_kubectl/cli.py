"""`kubectl smartcourse`: the commands, and what an error looks like."""

from __future__ import annotations

import sys

import click

from smartcourse_kubectl.commands.access import admin_password, open_url
from smartcourse_kubectl.commands.backup import backup, restore
from smartcourse_kubectl.commands.bundle import support_bundle
from smartcourse_kubectl.commands.lifecycle import hibernate, pause, restart, resume, wake
from smartcourse_kubectl.commands.logs import logs
from smartcourse_kubectl.commands.rotate import rotate
from smartcourse_kubectl.commands.status import status
from smartcourse_kubectl.commands.upgrade import upgrade
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import chosen, where_options

PROGRAM = "kubectl smartcourse"


class InOrder(click.Group):
    """Lists the commands in the order in which they are given, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the base class gives the parameter
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@where_options
@click.version_option(package_name="smartcourse-kubectl", prog_name=PROGRAM)
@click.pass_context
def cli(context: click.Context, /, **where: str | None) -> None:
    """Look at a SmartCourse, and do with it what its administrator does.

    A command that is given no NAME takes the only SmartCourse of the namespace.

    \b
    Exit codes:  0  done, or Ready
                 1  not Ready, refused, or not reached in time
                 2  the command was used wrongly
                 3  no such thing, no permission, or no answer from the cluster
    """
    context.obj = chosen(context, where)


for command in (
    status,
    logs,
    open_url,
    admin_password,
    pause,
    resume,
    hibernate,
    wake,
    restart,
    rotate,
    upgrade,
    backup,
    restore,
    support_bundle,
):
    cli.add_command(command)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        code = cli.main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
    except PluginError as error:
        click.echo(f"error: {error}" + (f"\n{error.remedy}" if error.remedy else ""), err=True)
        return error.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read it has seen enough
        sys.stderr.close()
        return Exit.DONE
    return code if isinstance(code, int) else Exit.DONE
