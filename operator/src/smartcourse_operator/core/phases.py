"""The order in which things are brought about, and what of it may be done now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smartcourse_operator.core.objects import DEPLOYMENT, Document, Reference, phase_of, reference
from smartcourse_operator.core.readiness import PROGRESSING, Progress, State, waiting
from smartcourse_operator.core.status import Phase

ORDER = (
    Phase.DATASTORES, Phase.PROVISION, Phase.MIGRATIONS, Phase.SERVICES, Phase.GATEWAY, Phase.ROUTE, Phase.FORWARD_AUTH,
    Phase.SEED, Phase.MONITORING, Phase.CONTRACT,
)  # fmt: skip
"""The phases whose objects the charts render."""
ESSENTIAL = tuple(phase for phase in ORDER if phase not in (Phase.MONITORING, Phase.CONTRACT))
"""What the platform needs to serve: that it can't be watched, or that its schema holds more than it needs, is told
and holds nothing up."""

REQUIRES = {
    Phase.DATASTORES: None,
    Phase.PROVISION: Phase.DATASTORES,
    Phase.MIGRATIONS: Phase.PROVISION,
    # What follows the schema starts at once: services find each other by name and are ready when they are.
    Phase.SERVICES: Phase.MIGRATIONS,
    Phase.GATEWAY: Phase.MIGRATIONS,
    Phase.ROUTE: Phase.MIGRATIONS,
    Phase.FORWARD_AUTH: Phase.GATEWAY,  # until it answers there, requests go through the gateway
    Phase.SEED: Phase.MIGRATIONS,
    Phase.MONITORING: Phase.MIGRATIONS,
    Phase.CONTRACT: Phase.GATEWAY,
}
"""The phase that must be done before another may begin. A failing migration thus leaves the old version serving."""
IN_AN_UPGRADE = {**REQUIRES, Phase.GATEWAY: Phase.SERVICES}
"""A new gateway would offer routes that the services do not have yet."""
WHERE_NOTHING_SERVES = {
    **REQUIRES,
    **dict.fromkeys((Phase.PROVISION, Phase.MIGRATIONS, Phase.SERVICES, Phase.GATEWAY, Phase.ROUTE, Phase.SEED)),
}
"""There is nothing to protect, and all begins at once, as with Helm: pods wait in their init containers for databases
and for the schema."""


@dataclass
class Board:
    """Every rendered object, by phase, with its state; an object that is not there yet waits."""

    rendered: Mapping[Phase, list[Document]]
    states: dict[Reference, State] = field(default_factory=dict)
    requires: Mapping[Phase, Phase | None] = field(default_factory=lambda: REQUIRES)

    @classmethod
    def of(cls, documents: Iterable[Document], *, is_upgrade: bool = False) -> Board:
        by_phase: dict[Phase, list[Document]] = {phase: [] for phase in ORDER}
        for document in documents:
            by_phase[phase_of(document)].append(document)
        return cls(by_phase, requires=IN_AN_UPGRADE if is_upgrade else REQUIRES)

    def note_serving(self, live: Iterable[Reference]) -> None:
        """Choose what waits for what by whether there is any service yet: `live` is what there is."""
        serves = any(one.kind == DEPLOYMENT.kind for one in live)
        if not serves and self.requires is REQUIRES:
            self.requires = WHERE_NOTHING_SERVES

    def references(self) -> set[Reference]:
        return {reference(document) for documents in self.rendered.values() for document in documents}

    def states_in(self, phase: Phase) -> list[State]:
        found = [reference(document) for document in self.rendered[phase]]
        return [self.states.get(one) or waiting(f"{one} waits for what comes before it") for one in found]

    def is_done(self, phase: Phase) -> bool:
        return all(state.progress is Progress.DONE for state in self.states_in(phase))

    def may_begin(self, phase: Phase) -> bool:
        required = self.requires[phase]
        return required is None or (self.is_done(required) and self.may_begin(required))

    def current(self) -> Phase:
        """Return the first essential phase that is not done, READY if all are."""
        return next((phase for phase in ESSENTIAL if not self.is_done(phase)), Phase.READY)

    def pending(self, phases: Iterable[Phase]) -> State | None:
        """Return a state in `phases` that is not done: one that failed, else one in trouble, else the first."""
        states = [state for phase in phases for state in self.states_in(phase) if state.progress is not Progress.DONE]
        return min(states, key=Board._urgency, default=None)

    @staticmethod
    def _urgency(state: State) -> int:
        if state.progress is Progress.FAILED:
            return 0
        return 1 if state.reason != PROGRESSING else 2
