"""Bringing one SmartCourse to what its spec asks for, from whatever state it is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from smartcourse_operator.adapters.charts import Charts
from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.adapters.gateway import PORT, PROBES_PORT, HealthProbe
from smartcourse_operator.adapters.helm import Renderer, RenderError
from smartcourse_operator.config import Settings
from smartcourse_operator.core import (
    conditions,
    credentials,
    drift,
    growing,
    names,
    scaling,
    stopping,
    upgrades,
    values,
    versions,
    volumes,
)
from smartcourse_operator.core.backups import ENDED
from smartcourse_operator.core.conditions import Findings, Problem
from smartcourse_operator.core.objects import (
    BY_NAME,
    DEPLOYMENT,
    JOB,
    RESTORE,
    SMART_COURSE,
    Document,
    Reference,
    UnexpectedObjectError,
    adopt,
    is_owned,
    labels,
    reference,
)
from smartcourse_operator.core.phases import ORDER, Board
from smartcourse_operator.core.readiness import DONE, Progress, State, failed_at, state_of, unknown_kind, waiting
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import (
    ConditionType,
    ObjectReference,
    Phase,
    SmartCourseStatus,
    Storage,
    Upgrade,
    UpgradePhase,
    Volume,
)
from smartcourse_operator.core.tuning import TooManyConnectionsError
from smartcourse_operator.reconcile import reporter
from smartcourse_operator.reconcile.applier import Applier, NameTakenError
from smartcourse_operator.reconcile.finalizer import Finalizer
from smartcourse_operator.reconcile.grower import Grower
from smartcourse_operator.reconcile.keeper import Kept, SecretKeeper
from smartcourse_operator.reconcile.observer import Objects, Observer
from smartcourse_operator.reconcile.rotator import Rotator
from smartcourse_operator.reconcile.scheduler import BackedUp, BackupScheduler
from smartcourse_operator.reconcile.together import together

log = structlog.get_logger()

RUN_ON = ("Deployment", "StatefulSet", "Job")
"""Kinds with pods: applied after what their pods need (accounts, configuration, network policies)."""
WITH_WORKLOADS = (Phase.DATASTORES, Phase.SERVICES, Phase.GATEWAY)
"""The phases of what runs on and on."""


class Outcome(StrEnum):
    """How a reconcile left its SmartCourse."""

    DONE = "done"
    WAITING = "waiting"
    GONE = "gone"


class StoppedError(Exception):
    """Nothing more can be done until somebody, or time, changes something."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def reader(name: str, spec: SmartCourseSpec, secret: str) -> ConditionType:
    """Return the condition that a Secret's trouble belongs to: the databases', unless services alone read it."""
    outside = values.secret_names(spec).items()
    of_services = {f"{name}-admin"} | {name for key, name in outside if key not in names.DATASTORES}
    return ConditionType.SERVICES_READY if secret in of_services else ConditionType.DATABASES_READY


@dataclass
class Work:
    """One reconcile's view of a SmartCourse."""

    owner: Document
    spec: SmartCourseSpec
    before: SmartCourseStatus
    plan: upgrades.Plan | None = None
    upgrade: Upgrade | None = None
    """How far the upgrade is when this reconcile has done what it can."""
    problem: Problem | None = None
    board: Board | None = None
    live: Objects = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    claims: list[Document] = field(default_factory=list)
    storage: list[Storage] = field(default_factory=list)
    restoring: str | None = None
    awake: stopping.Awake | None = None
    """What still runs although nothing should; None of a platform that is not hibernated."""
    backed_up: BackedUp | None = None
    kept: Kept | None = None
    has_rotated: bool = False

    @property
    def name(self) -> str:
        return str(self.owner["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.owner["metadata"]["namespace"])

    @property
    def is_initialised(self) -> bool:
        """Whether this resource's databases were set up; one that is made anew is not known to have any."""
        return bool(self.before.volumes or self.before.completed_jobs)


@dataclass(frozen=True)
class Tools:
    """What a reconciler works with."""

    cluster: Cluster
    charts: Charts
    renderer: Renderer
    releases: versions.Releases
    settings: Settings
    probe: HealthProbe
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Reconciler:
    """Observe, decide, act, report."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._cluster = tools.cluster
        self._observer = Observer(tools.cluster)
        self._applier = Applier(tools.cluster)
        self._keeper = SecretKeeper(tools.cluster)
        self._scheduler = BackupScheduler(tools.cluster)
        self._grower = Grower(tools.cluster)
        self._rotator = Rotator(tools.cluster, tools.now)
        self._finalizer = Finalizer(tools.cluster, self._observer, self._keeper, self._scheduler)
        self._reporter = reporter.Reporter(tools.cluster)

    async def reconcile(self, namespace: str, name: str) -> Outcome:
        """Do what can be done now for one SmartCourse.

        Raises:
            ApiError: the API server could not be worked with; to be tried again later.
        """
        owner = await self._cluster.find(SMART_COURSE, namespace, name)
        if owner is None:
            reporter.forget(namespace, name)
            return Outcome.GONE
        if owner["metadata"].get("deletionTimestamp"):
            return Outcome.GONE if await self._finalizer.clean_up(owner) else Outcome.WAITING
        before = SmartCourseStatus.model_validate(owner.get("status") or {})
        work = Work(owner, SmartCourseSpec.model_validate(owner.get("spec") or {}), before)
        findings = await self._upgraded(work, await self._bring_about(work))
        findings = replace(findings, shortfall=growing.shortfall(work.storage))
        if work.spec.backup and not findings.is_paused:
            work.backed_up = await self._scheduler.keep(
                work.name, work.namespace, work.spec.backup, before.backup, self._tools.now(),
                is_hibernated=work.spec.hibernated,
            )  # fmt: skip
            findings = replace(findings, backed_up=work.backed_up.verdict)
        elif not work.spec.backup and before.backup:
            self._scheduler.forget(work.name, work.namespace)
        await self._reporter.report(owner, before, self._status(work, findings))
        is_settled = findings.is_paused or findings.is_asleep or conditions.ready_verdict(findings).status == "True"
        is_upgrading = work.upgrade is not None and work.upgrade.phase in upgrades.HURRIED
        is_growing = growing.is_under_way(work.storage) and not findings.is_asleep
        is_going_on = work.has_rotated or is_upgrading or is_growing
        return Outcome.DONE if is_settled and not is_going_on else Outcome.WAITING

    async def _bring_about(self, work: Work) -> Findings:
        if work.spec.paused:
            return Findings(is_paused=True)
        await self._finalizer.hold(work.owner)
        try:
            await self._prepare(work)
        except StoppedError as stopped:
            log.warning(
                "stopped", namespace=work.namespace, name=work.name, reason=stopped.problem.reason, why=str(stopped)
            )
            return Findings(problem=stopped.problem, phase=work.before.phase or Phase.SECRETS)
        work.storage = await self._grower.grow(work.claims, growing.wanted_sizes(work.spec))
        board = await self._act(work)
        if work.awake:
            return self._asleep(work, board, work.awake)
        if board.current() is not Phase.READY:
            await self._explain(work, board)
            return Findings(board=board, problem=work.problem)
        await self._prune(work, board)
        if work.restoring:
            return Findings(board=board, problem=work.problem)
        port = PROBES_PORT if work.spec.route.proxy_protocol else PORT
        health = await self._tools.probe(work.name, work.namespace, port=port)
        if work.kept and not (health or work.problem):
            work.has_rotated = await self._rotator.advance(work.owner, work.spec, work.kept)
        return Findings(board=board, problem=work.problem, health=health)

    @staticmethod
    def _asleep(work: Work, board: Board, awake: stopping.Awake) -> Findings:
        pending = board.pending(WITH_WORKLOADS)
        left = str(awake) or (pending.message if pending else "")
        problem = stopping.hibernated(work.name, left, is_set_up=work.is_initialised)
        return Findings(board=board, problem=problem, is_asleep=not left)

    async def _prepare(self, work: Work) -> None:
        """Look, and work out what there should be.

        Raises:
            StoppedError: that cannot be told.
        """
        try:
            await self._note_restore(work)
            await self._note_version(work)
            work.plan = self._planned(work)
            work.upgrade = work.plan.upgrade
            work.problem = work.problem or work.plan.problem
            kept = await self._keeper.keep(work.name, work.namespace, work.spec, is_initialised=work.is_initialised)
            work.kept = kept
            await self._check_tls(work)
            work.claims = await self._observer.claims(work.name, work.namespace)
            if missing := volumes.missing_data(work.before.volumes, volumes.volumes_of_truth(work.claims)):
                raise StoppedError(Problem("DataMissing", missing, (ConditionType.DATABASES_READY,)))
            rendered = await self._stopped(work, await self._render(work, work.plan, kept))
            work.board = Board.of(adopt(rendered, work.owner), is_upgrade=upgrades.is_under_way(work.upgrade))
        except credentials.SecretError as error:
            raise StoppedError(
                Problem(error.reason, str(error), (reader(work.name, work.spec, error.secret),))
            ) from error
        except versions.VersionError as error:
            raise StoppedError(Problem(error.reason, str(error))) from error
        except TooManyConnectionsError as error:
            raise StoppedError(Problem(error.reason, str(error), (ConditionType.SERVICES_READY,))) from error
        except (RenderError, UnexpectedObjectError) as error:
            raise StoppedError(Problem("RenderFailed", str(error), (ConditionType.SERVICES_READY,))) from error

    async def _note_restore(self, work: Work) -> None:
        """See whether the data is being replaced: for as long as whoever does that is there."""
        name = work.before.restoring
        found = await self._cluster.find(RESTORE, work.namespace, name) if name else None
        if name and found and (found.get("status") or {}).get("phase") not in ENDED:
            work.restoring, work.problem = name, stopping.restoring(name)

    async def _note_version(self, work: Work) -> None:
        """See which release runs where the status, of an older operator or lost, does not tell.

        Raises:
            VersionError: nothing tells it.
        """
        if work.before.version:
            return
        gateway = await self._cluster.find(DEPLOYMENT, work.namespace, scaling.gateway_of(work.name).name)
        if gateway is None or not is_owned(gateway, work.owner["metadata"]["uid"]):
            return
        image = gateway["spec"]["template"]["spec"]["containers"][0]["image"]
        found = self._tools.releases.made_of("gateway", image) or work.spec.version
        if found is None:
            raise versions.ReleaseUntoldError(image)
        work.before = work.before.model_copy(update={"version": found})

    async def _stopped(self, work: Work, rendered: list[Document]) -> list[Document]:
        """Return what there is to be of it now: a restore that is at work needs the databases, and is let end."""
        if work.restoring:
            return stopping.without_services(rendered)
        if not work.spec.hibernated:
            return rendered
        work.awake = await self._observer.awake(work.name, work.namespace)
        return stopping.asleep(rendered, work.awake)

    def _planned(self, work: Work) -> upgrades.Plan:
        """Return the release to run; while the platform is hibernated or being restored no upgrade begins.

        Raises:
            VersionError: there is none.
        """
        is_held = work.spec.hibernated or work.restoring is not None
        return upgrades.plan(
            self._tools.releases, wanted=work.spec.version, before=work.before, now=self._tools.now(), is_held=is_held
        )

    async def _upgraded(self, work: Work, findings: Findings) -> Findings:
        """Take an upgrade one step further where what was found allows it, and tell of it."""
        if work.plan is None or work.upgrade is None or findings.board is None:
            return findings
        is_serving = findings.board.current() is Phase.READY and findings.health == ""
        seen = upgrades.Seen(findings.board, is_serving, can_back_up=work.spec.backup is not None)
        strategy = work.spec.update_strategy
        is_held = bool(work.restoring or work.awake)
        is_due = work.upgrade.phase is UpgradePhase.BACKING_UP and strategy.backup and seen.can_back_up
        if is_due and not is_held:  # what sleeps or is being restored would keep the backup waiting
            backup = upgrades.backup_name(work.name, work.upgrade)
            seen = replace(seen, backup=await self._scheduler.made(work.name, work.namespace, backup))
        if not is_held:
            work.upgrade = upgrades.advance(work.name, work.plan, seen, strategy, self._tools.now())
        told = upgrades.told(work.name, replace(work.plan, upgrade=work.upgrade), seen, strategy)
        return replace(findings, upgraded=told)

    async def _check_tls(self, work: Work) -> None:
        """Note that the route's certificate is missing; all the rest can be brought about meanwhile."""
        try:
            await self._keeper.check_tls(work.namespace, work.spec)
        except credentials.SecretError as error:
            work.problem = work.problem or Problem(error.reason, str(error), (ConditionType.ROUTE_READY,))

    async def _render(self, work: Work, plan: upgrades.Plan, kept: Kept) -> list[Document]:
        settings = self._tools.settings
        chart_values = values.chart_values(
            work.spec,
            images=versions.image_references(plan.release, work.spec.images),
            image_pull_policy=settings.image_pull_policy,
            secret_hashes=kept.digests,
            logins=kept.logins(),
            has_kafka_ca=kept.has_kafka_ca,
            public_url=settings.public_url,
            hold_data=bool(work.before.volumes),
            restored=work.before.restored or "",
            contract=plan.contracts,
        )
        chart = self._tools.charts.of(plan.release)
        return await self._tools.renderer.render(chart, work.name, work.namespace, chart_values)

    async def _act(self, work: Work) -> Board:
        """Apply phase after phase as far as the objects' states allow; keep what is in place already."""
        board = work.board
        if board is None:
            raise ValueError("nothing has been rendered")
        applied = {Reference(entry.kind, entry.name) for entry in work.before.inventory}
        work.live = await self._observer.children(work.owner, applied, board.references())
        board.note_serving(work.live)
        work.unknown = await self._observer.unknown(board.references())
        # Before the gateway stops answering there; and of what goes to sleep, Jobs that run and autoscalers go first.
        await self._prune(work, board, None if work.awake else Phase.FORWARD_AUTH)
        for phase in ORDER:
            may_begin = board.may_begin(phase) or work.awake is not None  # what is stopped waits for nothing
            documents = [d for d in board.rendered[phase] if may_begin or self._is_in_place(work, d)]
            for has_pods in (False, True):
                group = [document for document in documents if (document["kind"] in RUN_ON) is has_pods]
                states = await together(self._ensure(work, document) for document in group)
                board.states.update({reference(d): state for d, state in zip(group, states, strict=True)})
        return board

    @staticmethod
    def _is_in_place(work: Work, rendered: Document) -> bool:
        """Whether an object had been applied as rendered: keeping it so need not wait for an earlier phase.

        A database that is away for a while thus keeps nothing else from being repaired; only what is new waits.
        """
        one = reference(rendered)
        if live := work.live.get(one):
            return drift.is_current(rendered, live)
        if one.kind == JOB.kind and one.name in work.before.completed_jobs:
            return True
        return any((entry.kind, entry.name) == (one.kind, one.name) for entry in work.before.inventory)

    async def _ensure(self, work: Work, rendered: Document) -> State:
        """Make one object what it should be and return its state; what the API refuses is the object's own failure."""
        one = reference(rendered)
        live = work.live.get(one)
        if one.kind in work.unknown:
            return unknown_kind(one, rendered["apiVersion"])
        if one.kind == JOB.kind:
            if live is None and one.name in work.before.completed_jobs:
                return DONE
            if live and self._is_to_be_retried(live):
                await self._cluster.delete(JOB, work.namespace, one.name)
                work.live.pop(one)
                return waiting(f"{one} failed and is being tried anew")
        try:
            work.live[one] = await self._applier.ensure(rendered, live)
        except NameTakenError as error:
            return State(Progress.FAILED, "NameTaken", str(error))
        except ApiError as error:
            if not error.is_lasting:
                raise
            return State(Progress.FAILED, "ApplyFailed", f"{one} was refused by the API server: {error.message}")
        return state_of(work.live[one])

    def _is_to_be_retried(self, job: Document) -> bool:
        since = failed_at(job)
        if since is None:
            return False
        age = self._tools.now() - datetime.fromisoformat(since)
        return age > timedelta(seconds=self._tools.settings.failed_job_retry_seconds)

    async def _explain(self, work: Work, board: Board) -> None:
        """Ask the pods of what is not done for their reasons."""
        pending = {
            one: (work.live[one], state)
            for one, state in board.states.items()
            if state.progress is not Progress.DONE and one.kind in RUN_ON and one in work.live
        }
        if pending:
            board.states.update(await self._observer.explain(work.owner, pending))

    async def _prune(self, work: Work, board: Board, of_phase: Phase | None = None) -> None:
        """Remove what we own and no longer render, of all phases or of one."""
        wanted, uid = board.references(), work.owner["metadata"]["uid"]
        for one, document in list(work.live.items()):
            if one in wanted or not is_owned(document, uid) or document["metadata"].get("deletionTimestamp"):
                continue
            if of_phase and labels(document).get(names.LABEL_PHASE) != of_phase:
                continue
            log.info("removing", namespace=work.namespace, object=str(one), cause="no longer rendered")
            await self._cluster.delete(BY_NAME[one.kind], work.namespace, one.name)
            work.live.pop(one)

    def _status(self, work: Work, findings: Findings) -> SmartCourseStatus:
        metadata = work.owner["metadata"]
        context = conditions.Context(metadata["generation"], self._tools.now(), work.before.conditions)
        found = conditions.conditions(findings, context)
        shared = {
            "conditions": found,
            "observed_generation": metadata["generation"],
            "releases": self._tools.releases.known(),
        }
        if findings.is_paused:
            return work.before.model_copy(update=shared)
        shared |= {"backup": work.backed_up.summary if work.backed_up else None, "restoring": work.restoring}
        board = findings.board
        if board is None:
            return work.before.model_copy(update={**shared, "phase": conditions.phase_of(findings)})
        scale = scaling.Scale.of(work.live.get(scaling.gateway_of(work.name)))
        return SmartCourseStatus(
            **shared,
            phase=conditions.phase_of(findings),
            url=values.public_address(work.spec.route, self._tools.settings.public_url),
            version=self._version(work),
            upgrade=work.upgrade,
            inventory=self._inventory(work),
            completed_jobs=self._completed_jobs(work, board),
            restored=work.before.restored,
            volumes=volumes.remembered(work.before.volumes, self._volumes_with_data(work, board)),
            storage=work.storage,
            replicas=scale.replicas,
            selector=scale.selector,
            rotations=self._rotator.told(work.owner, work.spec, work.kept) if work.kept else [],
        )

    @staticmethod
    def _version(work: Work) -> str | None:
        """Return the release that is run: the one before until the new one serves."""
        if work.before.version and work.upgrade and work.upgrade.phase in upgrades.UNSERVED:
            return work.before.version
        return work.plan.release.version if work.plan else None

    @staticmethod
    def _inventory(work: Work) -> list[ObjectReference]:
        uid = work.owner["metadata"]["uid"]
        owned = sorted(one for one, document in work.live.items() if is_owned(document, uid))
        return [ObjectReference(kind=one.kind, name=one.name) for one in owned]

    @staticmethod
    def _completed_jobs(work: Work, board: Board) -> list[str]:
        if work.awake:  # no Job is rendered; those that are done need not be run when it wakes
            return work.before.completed_jobs
        return sorted(one.name for one, state in board.states.items() if one.kind == JOB.kind and state is DONE)

    @staticmethod
    def _volumes_with_data(work: Work, board: Board) -> list[Volume]:
        is_migrated = board.is_done(Phase.MIGRATIONS) and not work.awake
        return volumes.volumes_of_truth(work.claims) if is_migrated else []
