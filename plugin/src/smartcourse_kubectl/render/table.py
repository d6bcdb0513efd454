"""Several SmartCourses as a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table
from rich.text import Text

from smartcourse_kubectl.core.ages import age
from smartcourse_kubectl.core.view import View
from smartcourse_kubectl.render.tree import state_of


def table(views: Iterable[View], now: datetime) -> Table:
    made = Table("NAMESPACE", "NAME", "STATE", "VERSION", "PODS", "URL", "AGE", "WAITS FOR", box=None,
                 padding=(0, 3, 0, 0), header_style="")  # fmt: skip
    for view in views:
        word, style = state_of(view)
        ready = f"{sum(pod.is_ready for pod in view.pods)}/{len(view.pods)}"
        made.add_row(
            *map(Text, (view.namespace, view.name)), Text(word, style=style),
            *map(Text, (view.version, ready, view.url, age(view.created, now), view.waits_for)),
        )  # fmt: skip
    return made
