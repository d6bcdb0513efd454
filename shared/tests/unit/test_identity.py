"""Only requests that the gateway signed get in, and only as whom it signed."""

import hashlib
import hmac

import httpx
import pytest
from pydantic import SecretStr

from shared.identity import SCOPE_KEY, Identity, Role, sign, signed_headers, signing_string
from shared.middleware.identity import IdentityMiddleware
from shared.utils.datetime import FixedClock

TARGET = "/api/example/whoami"


@pytest.fixture
def headers(key: str, clock: FixedClock) -> dict[str, str]:
    moment = int(clock.now().timestamp())
    return signed_headers(key, method="GET", target=TARGET, user_id=7, role=Role.STUDENT, session_id="s1", time=moment)


def test_the_signature_is_hmac_sha256_over_version_time_user_role_method_and_target() -> None:
    expected = hmac.new(b"key", b"v1\n1700000000\n7\nstudent\nPOST\n/a%2Fb?c=%20", hashlib.sha256).hexdigest()
    fields = {"time": 1700000000, "user": "7", "role": "student", "method": "POST", "target": "/a%2Fb?c=%20"}
    assert sign("key", **fields) == expected  # type: ignore[arg-type]
    assert signing_string(**fields).count(b"\n") == 5  # type: ignore[arg-type]


async def test_a_signed_user_gets_in(direct: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await direct.get(TARGET, headers=headers)
    assert answer.json() == {"user_id": 7, "role": "student", "session_id": "s1"}


async def test_head_is_answered_from_get_and_signed_for_itself(
    direct: httpx.AsyncClient, key: str, clock: FixedClock, headers: dict[str, str]
) -> None:
    moment = int(clock.now().timestamp())
    own = signed_headers(key, method="HEAD", target=TARGET, user_id=7, role=Role.STUDENT, time=moment)
    assert (await direct.head(TARGET, headers=own)).status_code == 200
    assert (await direct.head(TARGET, headers=headers)).status_code == 401, "that one is for GET"


async def test_a_signed_anonymous_request_gets_in_as_nobody(client) -> None:
    answer = await client().get(TARGET)
    assert answer.json() == {"user_id": None, "role": "anonymous", "session_id": None}


async def test_a_request_without_signature_is_refused_as_a_problem(direct: httpx.AsyncClient) -> None:
    answer = await direct.get(TARGET)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:smartcourse:problem:identity-not-verified"
    assert answer.json()["instance"] == TARGET


@pytest.mark.parametrize(
    "change",
    [
        {"X-User-ID": "8"},
        {"X-User-Role": "admin"},
        {"X-User-Role": "root"},
        {"X-User-ID": ""},
        {"X-Gateway-Time": "0"},
        {"X-Gateway-Time": "soon"},
        {"X-Gateway-Time": "-1"},
        {"X-Gateway-Time": "9" * 400},
        {"X-Gateway-Signature": ""},
        {"X-Gateway-Signature": "0" * 64},
        {"X-Gateway-Signature": "ÿ" * 64},
    ],
    ids=str,
)
async def test_a_changed_header_is_refused(direct: httpx.AsyncClient, headers: dict[str, str], change: dict) -> None:
    changed = {name: value.encode("latin-1") for name, value in (headers | change).items()}
    assert (await direct.get(TARGET, headers=changed)).status_code == 401


@pytest.mark.parametrize("missing", ["X-User-ID", "X-User-Role", "X-Gateway-Time", "X-Gateway-Signature"])
async def test_a_missing_header_is_refused(direct: httpx.AsyncClient, headers: dict[str, str], missing: str) -> None:
    del headers[missing]
    assert (await direct.get(TARGET, headers=headers)).status_code == 401


@pytest.mark.parametrize("twice", ["X-User-ID", "x-user-role", "X-SESSION-ID", "X-Gateway-Time", "X-Gateway-Signature"])
async def test_a_header_that_occurs_twice_is_refused(
    direct: httpx.AsyncClient, headers: dict[str, str], twice: str
) -> None:
    again = [(name, value) for name, value in headers.items() if name.lower() == twice.lower()]
    assert (await direct.get(TARGET, headers=[*headers.items(), *again])).status_code == 401


@pytest.mark.parametrize("other", [f"{TARGET}?", f"{TARGET}?a=1", "/api/example/%77hoami", "/api/example/me"])
async def test_a_signature_fits_one_target_only(direct: httpx.AsyncClient, headers: dict[str, str], other: str) -> None:
    url = httpx.URL("http://example", raw_path=other.encode())
    status = (await direct.get(url, headers=headers)).status_code
    # ASGI does not tell an empty query from none; they mean the same to every route.
    assert status == (200 if other.endswith("?") else 401)


async def test_a_signature_fits_one_method_only(direct: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await direct.delete(TARGET, headers=headers)).status_code == 401


async def test_an_empty_query_may_be_signed_with_or_without_its_question_mark(
    direct: httpx.AsyncClient, key: str, clock: FixedClock
) -> None:
    for signed in (TARGET, f"{TARGET}?"):
        headers = signed_headers(key, method="GET", target=signed, time=int(clock.now().timestamp()))
        assert (await direct.get(TARGET, headers=headers)).status_code == 200


async def test_the_target_is_taken_as_it_was_received(client) -> None:
    url = httpx.URL("http://example", raw_path=b"/api/example/whoami?q=a%20b&q=%C3%A4+/?:@")
    assert (await client(user_id=7, role=Role.STUDENT).get(url)).status_code == 200


@pytest.mark.parametrize("seconds", [-31, 31])
async def test_a_signature_ages_within_30_seconds(
    direct: httpx.AsyncClient, headers: dict[str, str], clock: FixedClock, seconds: int
) -> None:
    clock.advance(seconds=-29.5 if seconds < 0 else 29)
    assert (await direct.get(TARGET, headers=headers)).status_code == 200
    clock.advance(seconds=-2 if seconds < 0 else 2)
    assert (await direct.get(TARGET, headers=headers)).status_code == 401


async def test_both_keys_are_good_during_a_rotation_and_no_other(client, previous_key: str) -> None:
    assert (await client(key=previous_key).get(TARGET)).status_code == 200
    assert (await client(key="another-key-" + "x" * 32).get(TARGET)).status_code == 401


@pytest.mark.parametrize(
    ("user", "role"),
    [("7", "anonymous"), ("", "admin"), ("07", "admin"), ("-7", "admin"), ("\u0667", "admin"), ("7", "root")],
)
async def test_even_a_signature_does_not_make_nonsense_good(
    direct: httpx.AsyncClient, key: str, clock: FixedClock, user: str, role: str
) -> None:
    moment = int(clock.now().timestamp())
    as_received = user.encode().decode("latin-1")
    headers = {
        "X-User-ID": user.encode(),
        "X-User-Role": role.encode(),
        "X-Gateway-Time": str(moment).encode(),
        "X-Gateway-Signature": sign(
            key, time=moment, user=as_received, role=role, method="GET", target=TARGET
        ).encode(),
    }
    assert (await direct.get(TARGET, headers=headers)).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/startup"])
async def test_health_is_answered_to_anybody(direct: httpx.AsyncClient, path: str) -> None:
    assert (await direct.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/health/live/", "/health/live/../../api/example/me", "/health/other", "/docs",
                                  "/openapi.json", "/redoc", "/metrics"])  # fmt: skip
async def test_nothing_else_is_answered_without_the_gateway(direct: httpx.AsyncClient, path: str) -> None:
    assert (await direct.get(httpx.URL("http://example", raw_path=path.encode()))).status_code == 401


async def test_a_route_for_users_answers_401_to_nobody(client) -> None:
    answer = await client().get("/api/example/me")
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:smartcourse:problem:authentication-required"


async def test_a_route_for_a_role_answers_403_to_another(client) -> None:
    assert (await client(user_id=1, role=Role.ADMIN).get("/api/example/admin")).status_code == 200
    assert (await client(user_id=1, role=Role.INSTRUCTOR).get("/api/example/admin")).status_code == 403
    assert (await client().get("/api/example/admin")).status_code == 401


async def test_a_websocket_without_signature_is_closed_at_once(app) -> None:
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": TARGET, "headers": [], "query_string": b""}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_websocket_whose_handshake_is_signed_gets_in_as_its_user(
    key: str, clock: FixedClock, headers: dict[str, str]
) -> None:
    seen: list[dict] = []

    async def inner(scope: dict, receive, send) -> None:
        seen.append(scope)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": TARGET, "headers": raw, "query_string": b""}
    await IdentityMiddleware(inner, SecretStr(key), clock=clock)(scope, None, None)  # type: ignore[arg-type]
    assert seen[0][SCOPE_KEY] == Identity(7, Role.STUDENT, "s1")
