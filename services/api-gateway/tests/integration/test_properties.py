"""For any bytes as method, target, headers and token: the service gets what was judged, as whom the decision said."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_gateway import DOCUMENTS, DOORS, Gateway, running

from api_gateway.target import is_canonical
from shared.testing.servers import RedisServer

EXAMPLES = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NEVER_REACHED = "100000000"
USER = 4711
METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]
ODD_METHODS = [b"TRACE", b"CONNECT", b"get", b"GET\x00", b"G T", b"", b"POST\t", b"*"]
PIECES = [b"/", b"//", b"/./", b"/../", b"/..", b".", b"%2e", b"%2E%2e", b"%2f", b"%5c", b"%252f", b"\\", b";", b"%3b",
          b"%00", b"%0d%0a", b"?", b"#", b"&a=b", b"%61", b"%c3%a9", "é".encode(), b" ", b"+", b"*", b":", b"@",
          b"http://a", b"17", b"99999999999999999999", b"api", b"me", b"users", b"courses", b"files", b"lessons",
          b"auth", b"login", b"notifications", b"_decide", b"_problem/400", b"health", b"docs"]  # fmt: skip
SPOOFED = [b"X-User-ID", b"x-user-id", b"X_User_ID", b"X-USER-ROLE", b"X-User-Role", b"X-Session-ID", b"X-Gateway-Time",
           b"X-Gateway-Signature", b"X-Original-URI", b"X-Original-Method", b"X-HTTP-Method-Override", b"X-Rewrite-URL",
           b"X-Service", b"X-Accel-Redirect", b"Connection", b"Forwarded", b"X-Forwarded-User",
           b"X-Forwarded-Uri"]  # fmt: skip
VALUES = [b"1", b"admin", b"0", b"", b"/api/users", b"DELETE", b"X-User-ID, X-Gateway-Signature", b"course"]
served: Counter[tuple[str, bool]] = Counter()
"""By door, and whether with a token."""
STEERING = {"x-original-uri", "x-original-method", "x-http-method-override", "x-rewrite-url", "x-forwarded-uri"}

line_bytes = st.binary(max_size=6).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
routes = st.sampled_from([path.replace("{item_id}", "17").replace("{name}", "a").encode()
                          for paths in DOCUMENTS.values() for path in paths])  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES) | line_bytes, max_size=6).map(b"".join)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6).map(str.encode)
methods = st.sampled_from([b"GET"] * 8 + METHODS + ODD_METHODS)
queries = st.lists(st.sampled_from(PIECES) | printable, max_size=3).map(b"".join).map(b"?%s".__mod__)
asked = routes | st.tuples(routes, queries).map(b"".join)
odd = st.tuples(routes, pieces).map(b"".join) | pieces
targets = st.booleans().flatmap(lambda is_odd: odd if is_odd else asked)
headers = st.lists(st.tuples(st.sampled_from(SPOOFED), st.sampled_from(VALUES) | printable), max_size=4)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def told(self) -> dict[str, object]:
        """What a service said it was sent; nothing where the gateway answered itself."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) and "target" in document else {}


@pytest.fixture(scope="module")
def every_door(redis_server: RedisServer) -> Iterator[Gateway]:
    limits = {f"RATE_LIMIT_{name}_PER_MINUTE": NEVER_REACHED for name in ("DEFAULT", "PUBLIC", "LOGIN")}
    with running(redis_server.url, {"TRUSTED_PROXIES": "127.0.0.0/8"} | limits) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=DOORS)
def unlimited(every_door: Gateway, request: pytest.FixtureRequest) -> Gateway:
    return every_door.behind(request.param)


def ask(gateway: Gateway, method: bytes, target: bytes, lines: list[tuple[bytes, bytes]]) -> Answer:
    """Send one request as it stands; what else it may smuggle is answered on the same connection and looked at too."""
    head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
    raw = gateway.raw(
        method + b" " + target + b" HTTP/1.1\r\nHost: smartcourse\r\nContent-Length: 0\r\n" + head
        + b"Connection: close\r\n\r\n"
    )  # fmt: skip
    if not raw:
        return Answer(0, b"")
    assert raw.count(b"HTTP/1.1 ") == 1, "one request, one answer"
    head, _, body = raw.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), body)


def origin_form(target: bytes) -> str:
    """The path and query that a target of absolute form means (RFC 9112, 3.2.2), without spaces around it (3)."""
    text = target.decode("latin-1").strip(" ")
    return re.sub(r"^http://[A-Za-z0-9.:-]+(?=/)", "", text)


def allowed(path: str, method: str) -> list[str]:
    """Who may call, by a reading of the documents that shares nothing with the compiled table."""
    for paths in DOCUMENTS.values():
        for template, operations in paths.items():
            pattern = template.replace("{item_id}", "[0-9]{1,19}").replace("{name}", "[^/]+")
            if re.fullmatch(pattern, path) and method.lower() in operations:
                access: dict[str, list[str]] = operations[method.lower()]["x-smartcourse-access"]
                return access["allow"]
    return []


def check(gateway: Gateway, answer: Answer, method: bytes, target: bytes, *, role: str | None) -> None:
    """`role`: of the good token that was sent, if one was.

    The services check the signature, which is over the method and target that the decision judged.
    """
    assert b"identity-not-verified" not in answer.body, "a service got something else than what was signed"
    assert answer.status != 500
    told = answer.told
    if not told:
        return
    served[gateway.door, role is not None] += 1
    sent = origin_form(target)
    if gateway.door == "nginx":
        assert (told["target"], told["method"]) in ((sent, method.decode()), (sent.removesuffix("?"), method.decode()))
    else:  # those clean a target before anything is asked, and Envoy a method of the tab behind it
        assert is_canonical(str(told["target"]))
        assert told["method"] == method.decode().rstrip("\t")
    who = allowed(str(told["target"]).partition("?")[0], str(told["method"]))
    assert who, "only what a document describes is passed on"
    assert "public" in who or (role is not None and {"authenticated", role} & set(who))
    reads_token = "public" not in who or told["method"] == "GET"
    expected = (USER, role) if role is not None and reads_token else (None, "anonymous")
    assert (told["user_id"], told["role"]) == expected
    received: list[list[str]] = told["headers"]  # type: ignore[assignment]
    names = [name for name, _ in received]
    assert not STEERING & set(names)
    assert all(names.count(name) <= 1 for name in ("x-user-id", "x-user-role", "x-session-id", "x-gateway-signature"))


@EXAMPLES
@given(method=methods, target=targets, lines=headers)
def test_nobody_becomes_somebody_by_any_target_or_header(
    unlimited: Gateway, method: bytes, target: bytes, lines: list[tuple[bytes, bytes]]
) -> None:
    check(unlimited, ask(unlimited, method, target, lines), method, target, role=None)


@EXAMPLES
@given(
    method=methods,
    target=targets,
    lines=headers,
    role=st.sampled_from(["student", "instructor", "admin"]),
)
def test_a_token_counts_for_its_own_person_only(
    unlimited: Gateway, method: bytes, target: bytes, lines: list[tuple[bytes, bytes]], role: str
) -> None:
    token = unlimited.token(sub=str(USER), role=role).encode()
    answer = ask(unlimited, method, target, [*lines, (b"Authorization", b"Bearer " + token)])
    check(unlimited, answer, method, target, role=role)


@EXAMPLES
@given(position=st.integers(0, 10_000), byte=st.integers(33, 126), extra=line_bytes, target=routes)
def test_a_token_that_was_changed_anywhere_counts_for_nobody(
    unlimited: Gateway, position: int, byte: int, extra: bytes, target: bytes
) -> None:
    good = unlimited.token(sub=str(USER), role="admin").encode()
    at = position % len(good)
    bad = good[:at] + bytes([byte]) + good[at + 1 :] + extra
    if bad.strip() == good:
        return
    told = ask(unlimited, b"GET", target, [(b"Authorization", b"Bearer " + bad)]).told
    assert not told, "not even a public route takes a bad token"


@pytest.mark.parametrize("door", DOORS)
def test_enough_of_them_were_served_for_these_properties_to_mean_something(door: str) -> None:
    assert served[door, False] > 5
    assert served[door, True] > 5
