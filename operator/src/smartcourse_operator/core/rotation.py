"""Rotation of the generated Secrets: small steps, each decided from what the Secret itself says.

The state is an annotation of the Secret and is written with the keys it speaks of, in one patch: whoever reads it after
a crash sees both or neither. Two neighbouring steps always accept each other, so pods of both may run side by side:

    introduced   the new value is known beside the present one     (every verifier learns it)
    promoted     the new value is the present one, the old one is still good     (every signer uses it)
    retained     only tokens: the old key stays until the last refresh token that it signed has expired
    retiring     the old value is being made void
    completed    it is, everywhere
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from smartcourse_operator.core import names
from smartcourse_operator.core.credentials import SPARE_PASSWORD, USERS, Contents, SecretInvalidError, idle_user
from smartcourse_operator.core.fields import timestamp
from smartcourse_operator.core.spec import DatabaseMode, SmartCourseSpec
from smartcourse_operator.core.status import Rotated, Rotation, RotationPhase

Changes = dict[str, str | None]
"""Keys to set, and with None those to remove."""
ANNOTATION_REQUEST = {what: f"{names.GROUP}/rotate-{what.value}" for what in Rotated}
"""On the SmartCourse: any text; another text asks for another rotation."""


@dataclass(frozen=True)
class SigningKey:
    """A key of the Secret `auth`; services accept what `<key>-previous` holds too."""

    key: str

    @property
    def other(self) -> str:
        return f"{self.key}-previous"

    def introduce(self, _contents: Contents, generate: Callable[[], str]) -> Changes:
        return {self.other: generate()}

    def promote(self, contents: Contents) -> Changes:
        return {self.key: contents[self.other], self.other: contents[self.key]}

    def retire(self) -> Changes:
        return {self.other: None}


@dataclass(frozen=True)
class Login:
    """A login at a datastore: of its two users one is used, the other idle.

    Raises:
        SecretInvalidError: the URL logs in with neither.
    """

    secret: str
    users: tuple[str, str]

    def introduce(self, contents: Contents, generate: Callable[[], str]) -> Changes:
        self._idle(contents["url"])
        return {SPARE_PASSWORD: generate()}

    def promote(self, contents: Contents) -> Changes:
        url, password = contents["url"], contents[SPARE_PASSWORD]
        parts = urlsplit(url)
        login = f"{self._idle(url)}:{quote(password, safe='')}"
        address = parts.netloc.rpartition("@")[2]
        moved = urlunsplit((parts.scheme, f"{login}@{address}", parts.path, parts.query, ""))
        return {"url": moved, "password": password, SPARE_PASSWORD: contents["password"]}

    def retire(self) -> Changes:
        return {SPARE_PASSWORD: None}

    def _idle(self, url: str) -> str:
        idle = idle_user(self.users, url)
        if idle is None:
            problem = f"names neither of the users {' and '.join(self.users)}: it cannot be rotated"
            raise SecretInvalidError(self.secret, "url", problem)
        return idle


Value = SigningKey | Login


@dataclass(frozen=True)
class Machine:
    """One value that is rotated by itself, and where it is."""

    what: Rotated
    suffix: str
    value: Value


def machines(name: str, spec: SmartCourseSpec) -> list[Machine]:
    """Return what the operator may rotate: not the Secrets that people bring."""
    logins = [(Rotated.DATABASE, f"{service}-db") for service in names.SERVICES]
    logins.append((Rotated.MONGODB, "course-mongodb"))
    if spec.databases.redis.mode is DatabaseMode.EMBEDDED:
        logins.append((Rotated.REDIS, "redis"))
    found = [Machine(what, suffix, Login(f"{name}-{suffix}", USERS[suffix])) for what, suffix in logins]
    if not spec.auth.secret_name:
        found.append(Machine(Rotated.JWT, "auth", SigningKey("jwt-secret")))
        found.append(Machine(Rotated.IDENTITY, "auth", SigningKey("identity-key")))
    return found


@dataclass(frozen=True)
class Mark:
    """How far the rotation of one value is. `request` is empty for one that its interval asked for."""

    phase: RotationPhase
    request: str
    started_at: datetime
    since: datetime

    @classmethod
    def read(cls, text: str | None) -> Mark | None:
        """Return the mark that an annotation holds, None if it holds none that can be read."""
        try:
            found = json.loads(text or "")
            times = datetime.fromisoformat(found["startedAt"]), datetime.fromisoformat(found["since"])
            return cls(RotationPhase(found["phase"]), str(found["request"]), *times)
        except (ValueError, KeyError, TypeError):
            return None

    def text(self) -> str:
        times = {"startedAt": timestamp(self.started_at), "since": timestamp(self.since)}
        return json.dumps({"phase": self.phase.value, "request": self.request, **times})


def annotation(what: Rotated) -> str:
    """Return the name of the annotation of a Secret that holds its mark."""
    return f"{names.GROUP}/rotation-{what.value}"


@dataclass(frozen=True)
class Step:
    """What is to be written into a Secret at once."""

    changes: Changes
    mark: Mark


@dataclass(frozen=True)
class Wish:
    """Why a value should be rotated anew: by a request (any text, empty: none) or by its age in days (0: never)."""

    request: str
    days: int
    born: datetime

    def is_due(self, mark: Mark | None, now: datetime) -> bool:
        if self.request and (mark is None or mark.request != self.request):
            return True
        return bool(self.days) and now - (mark.started_at if mark else self.born) >= timedelta(days=self.days)


def next_step(
    machine: Machine, mark: Mark | None, contents: Contents, wish: Wish, *,
    keep: timedelta, now: datetime, generate: Callable[[], str],
) -> Step | None:  # fmt: skip
    """Return what to write next, None if there is nothing to do now.

    Only to be asked when every pod runs with `contents` and none of an earlier revision is left. `keep` is how long
    tokens of the old key may live.
    """
    value = machine.value
    if mark is None or mark.phase is RotationPhase.COMPLETED:
        if not wish.is_due(mark, now):
            return None
        request = wish.request or (mark.request if mark else "")
        return Step(value.introduce(contents, generate), Mark(RotationPhase.INTRODUCED, request, now, now))
    if mark.phase is RotationPhase.INTRODUCED:
        return Step(value.promote(contents), replace(mark, phase=RotationPhase.PROMOTED, since=now))
    if mark.phase is RotationPhase.PROMOTED and machine.what is Rotated.JWT:
        return Step({}, replace(mark, phase=RotationPhase.RETAINED, since=now))
    if mark.phase is RotationPhase.RETAINED and now - mark.since < keep:
        return None
    if mark.phase is RotationPhase.RETIRING:
        return Step({}, replace(mark, phase=RotationPhase.COMPLETED, since=now))
    return Step(value.retire(), replace(mark, phase=RotationPhase.RETIRING, since=now))


def days_of(spec: SmartCourseSpec, what: Rotated) -> int:
    found: int = getattr(spec.rotation, f"{what.value}_days")
    return found


def told(
    spec: SmartCourseSpec, annotations: Mapping[str, str], marks: Iterable[tuple[Machine, Mark | None]], *, waits: str
) -> list[Rotation]:
    """Return what the status says: of each value the last rotation, or that one is asked for and what it waits for."""
    by_what: dict[Rotated, list[Mark | None]] = {}
    for machine, mark in marks:
        by_what.setdefault(machine.what, []).append(mark)
    found = []
    for what in Rotated:
        request = annotations.get(ANNOTATION_REQUEST[what], "")
        if what not in by_what:
            if request:
                found.append(refused(what, request, spec))
            continue
        slowest = min(by_what[what], key=lambda mark: ORDER.index(mark.phase) if mark else -1)
        newest = max((mark for mark in by_what[what] if mark), key=lambda mark: mark.started_at, default=None)
        is_asked = bool(request) and any(mark is None or mark.request != request for mark in by_what[what])
        if is_asked and (newest is None or all(m is None or m.phase in AT_REST for m in by_what[what])):
            found.append(Rotation(secret=what, phase=RotationPhase.WAITING, request=request, message=waits))
        elif newest:
            found.append(rotation_of(what, slowest, newest))
    return found


ORDER = tuple(RotationPhase)
AT_REST = (RotationPhase.COMPLETED, RotationPhase.RETAINED)


def refused(what: Rotated, request: str, spec: SmartCourseSpec) -> Rotation:
    secret, new = spec.auth.secret_name, "key"
    if what is Rotated.REDIS:
        secret, new = spec.databases.redis.secret_name, "url"
    message = (
        f"the Secret {secret} is yours: write the new {new} into it as docs/how-to/rotate-secrets.md says, and the "
        "pods take it over"
    )
    return Rotation(secret=what, phase=RotationPhase.REFUSED, request=request, message=message)


def rotation_of(what: Rotated, slowest: Mark | None, newest: Mark) -> Rotation:
    phase = slowest.phase if slowest else RotationPhase.INTRODUCED
    is_done = phase is RotationPhase.COMPLETED and slowest is not None
    return Rotation(
        secret=what,
        phase=phase,
        request=newest.request or None,
        started_at=timestamp(newest.started_at),
        completed_at=timestamp(newest.since) if is_done else None,
        message=MESSAGES[phase],
    )


MESSAGES = {
    RotationPhase.WAITING: "asked for",
    RotationPhase.REFUSED: "refused",
    RotationPhase.INTRODUCED: "the new value is being made known beside the present one",
    RotationPhase.PROMOTED: "the new value is taken into use, the old one is still good",
    RotationPhase.RETAINED: "the new key is in use; tokens of the old one live until they expire",
    RotationPhase.RETIRING: "the old value is being made void",
    RotationPhase.COMPLETED: "the old value is void",
}
