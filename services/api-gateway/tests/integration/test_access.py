"""Who gets in, and as whom, through each door."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import time
from base64 import urlsafe_b64encode

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from real_gateway import Gateway, eventually, only_nginx, problem

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
IDENTITY = ("x-user-id", "x-user-role", "x-session-id", "x-gateway-time", "x-gateway-signature")


def sent(told: dict[str, object], name: str) -> list[str]:
    headers: list[list[str]] = told["headers"]  # type: ignore[assignment]
    return [value for key, value in headers if key == name]


def test_a_public_route_is_answered_to_anybody_and_signed_as_anonymous(gateway: Gateway) -> None:
    told = gateway.client.get("/api/courses").json()
    assert (told["service"], told["user_id"], told["role"]) == ("course", None, "anonymous")


def test_a_token_becomes_a_signed_identity_and_goes_no_further(gateway: Gateway) -> None:
    session = secrets.token_hex(8)
    token = gateway.token(sub="42", role="instructor", sid=session)
    told = gateway.client.get("/api/me", headers={"Authorization": f"bearer {token}", "Cookie": "a=b"}).json()
    assert (told["user_id"], told["role"], told["session_id"]) == (42, "instructor", session)
    assert not sent(told, "authorization")
    assert not sent(told, "cookie")


def test_a_public_route_knows_who_asks_if_a_token_is_sent(gateway: Gateway) -> None:
    told = gateway.client.get("/api/courses/3", headers=gateway.bearer(sub="9", role="admin")).json()
    assert (told["user_id"], told["role"]) == (9, "admin")


@pytest.mark.parametrize(
    "name",
    ["X-User-ID", "x-user-id", "X_User_ID", "X_USER_ROLE", "X-User-Role", "X-Session-ID", "X.User.ID",
     "X-Gateway-Time", "X-Gateway-Signature"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["1", "admin"])
def test_identity_headers_of_a_client_never_arrive(gateway: Gateway, name: str, value: str) -> None:
    answer = gateway.client.get("/api/courses", headers=[(name, value), (name, value), ("Connection", name)])
    if gateway.door == "envoy" and "_" in name:
        assert answer.status_code == 400
        return
    told = answer.json()
    assert (told["user_id"], told["role"], told["session_id"]) == (None, "anonymous", None)
    twice = [(name, value), (name, value), *gateway.bearer(sub="7").items()]
    mine = gateway.client.get("/api/me", headers=twice).json()
    assert (mine["user_id"], mine["role"]) == (7, "student")
    assert all(len(sent(mine, header)) == 1 for header in IDENTITY)
    assert not [key for key, _ in mine["headers"] if "_" in key or "." in key]


def test_headers_that_could_steer_a_service_never_arrive(gateway: Gateway) -> None:
    names = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Rewrite-URL", "X-Original-URI",
             "X-Original-Method", "X-Original-Host",
             "Forwarded", "X-Forwarded-Host", "X-Real-IP")  # fmt: skip
    told = gateway.client.get("/api/courses", headers=dict.fromkeys(names, "x")).json()
    assert not {key for key, _ in told["headers"]} & {name.lower() for name in names}


def test_what_a_service_declares_or_needs_arrives(gateway: Gateway) -> None:
    wanted = {"X-Tone": "low", "If-None-Match": '"1"', "Accept-Language": "de", "User-Agent": "tests"}
    told = gateway.client.get("/api/notifications", headers={**wanted, **gateway.bearer()}).json()
    assert all(sent(told, name.lower()) == [value] for name, value in wanted.items())


def test_without_a_token_a_protected_route_is_401_with_a_challenge(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/me")
    assert problem(answer, 401)["type"] == "urn:smartcourse:problem:not-authenticated"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["instance"] == "/api/me"


@pytest.mark.parametrize("role", ["student", "instructor"])
def test_the_wrong_role_is_403(gateway: Gateway, role: str) -> None:
    problem(gateway.client.get("/api/users", headers=gateway.bearer(role=role)), 403)


def test_the_public_catalogue_does_not_make_its_path_public(gateway: Gateway) -> None:
    problem(gateway.client.post("/api/courses", json={}), 401)
    problem(gateway.client.post("/api/courses", json={}, headers=gateway.bearer(role="student")), 403)
    assert gateway.client.post("/api/courses", json={}, headers=gateway.bearer(role="instructor")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/nothing", "/metrics", "/api/courses/x", "/api/coursesx"])
def test_a_path_without_a_route_is_404_with_and_without_a_token(gateway: Gateway, path: str) -> None:
    problem(gateway.client.get(path), 404)
    problem(gateway.client.get(path, headers=gateway.bearer(role="admin")), 404)


@pytest.mark.parametrize(
    "path",
    ["/_decide", "/decide", "/forward", "/forward/api/me", "/_problem/400", "/health/ready", "/stub_status", "/docs/x"],
)
def test_inner_places_are_not_reachable(gateway: Gateway, path: str) -> None:
    problem(gateway.client.get(path), 404)


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS"])
def test_a_known_path_with_another_method_is_405_and_names_its_methods(gateway: Gateway, method: str) -> None:
    answer = gateway.client.request(method, "/api/courses")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "get"])
def test_methods_that_no_route_has_are_405_before_anything_is_asked(gateway: Gateway, method: str) -> None:
    answer = gateway.raw(f"{method} /api/courses HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"405", b"400")


def test_head_is_answered_from_get_without_a_body(gateway: Gateway) -> None:
    answer = gateway.client.head("/api/courses")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
    assert gateway.client.get("/api/courses").status_code == 200


BAD_TOKENS = {
    "expired": {"exp": int(time.time()) - 60},
    "without exp": {"exp": None},
    "exp of the wrong type": {"exp": "9999999999"},
    "exp that is a fraction": {"exp": int(time.time()) + 3600.5},
    "issued in the future": {"iat": int(time.time()) + 600},
    "not yet valid": {"nbf": int(time.time()) + 600},
    "of another issuer": {"iss": "somebody"},
    "for another audience": {"aud": "something"},
    "for a list of audiences": {"aud": ["smartcourse-api"]},
    "a refresh token": {"type": "refresh"},
    "of an unknown role": {"role": "root"},
    "of a list of roles": {"role": ["admin"]},
    "anonymous by role": {"role": "anonymous"},
    "without a subject": {"sub": None},
    "of a subject that is no number": {"sub": "7 or 8"},
    "of the subject 0": {"sub": "0"},
    "without a session": {"sid": None},
    "of a session with a comma": {"sid": "a,b"},
    "without an id": {"jti": None},
}


@pytest.mark.parametrize("what", BAD_TOKENS)
def test_a_token_that_breaks_a_rule_is_refused(gateway: Gateway, what: str) -> None:
    if BAD_TOKENS[what].get("aud") == ["smartcourse-api"]:
        token = gateway.token(aud=["smartcourse-api"])
    elif isinstance(BAD_TOKENS[what].get("exp"), str):
        token = gateway.token(exp="9999999999")
    else:
        token = gateway.token(**BAD_TOKENS[what])
    answer = gateway.client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def in_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: dict[str, object], alg: str, kid: str) -> str:
    """A token that says of itself that it needs no signature, in letters of any case."""
    parts = ({"alg": alg, "typ": "JWT", "kid": kid}, claims)
    return ".".join(in_base64(json.dumps(part).encode()) for part in parts) + "."


def signed_by_hand(claims: dict[str, object], key: str, **header: object) -> str:
    """A token with a good signature, whatever its header says: the library makes none with some of these."""
    parts = ({"alg": "HS256", "typ": "JWT"} | header, claims)
    text = ".".join(in_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{in_base64(hmac.digest(key.encode(), text.encode(), 'sha256'))}"


def test_tokens_signed_or_headed_otherwise_are_refused(gateway: Gateway) -> None:
    good = gateway.token()
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    bad = [
        gateway.token(key=secrets.token_hex(32)),
        gateway.token(headers={"kid": "../../dev/null"}),
        gateway.token(headers={"kid": "' OR '1'='1"}),
        gateway.token(headers={"kid": "00000000"}),
        gateway.token(headers={"kid": None}),
        gateway.token(headers={"crit": ["exp"]}),
        gateway.token(headers={"typ": "JWT", "b64": False}),
        signed_by_hand(claims, gateway.jwt_key, kid=kid, crit=["b64"], b64=False),
        signed_by_hand(claims, gateway.jwt_key, kid=kid, crit=["urn:example:unknown"], **{"urn:example:unknown": 1}),
        signed_by_hand(claims, gateway.jwt_key, kid=kid, alg="RS256"),
        *(unsigned(claims, alg, kid) for alg in ("none", "None", "NONE", "nOnE")),
        jwt.encode(claims, RSA_KEY, algorithm="RS256", headers={"kid": kid}),
        jwt.encode(claims, gateway.jwt_key, algorithm="HS512", headers={"kid": kid}),
        jwt.encode(claims, gateway.jwt_key, algorithm="HS384", headers={"kid": kid}),
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{good}.{signature}",
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "a" * 5000,
        "=",
    ]
    asked = [*bad, signed_by_hand(claims, gateway.jwt_key, kid=kid)]
    statuses = [
        gateway.client.get("/api/me", headers={"Authorization": f"Bearer {token}"}).status_code for token in asked
    ]
    assert statuses == [*[401] * len(bad), 200]
    assert gateway.client.get("/api/me", headers={"Authorization": f"Basic {good}"}).status_code == 401


def test_two_tokens_are_refused_though_both_are_good(gateway: Gateway) -> None:
    both = [("Authorization", f"Bearer {gateway.token(sub=subject)}") for subject in ("7", "8")]
    assert gateway.client.get("/api/me", headers=both).status_code in (400, 401)


@pytest.mark.parametrize("parameter", ["jku", "x5u", "jwk", "x5c"])
def test_a_key_that_a_token_brings_along_is_neither_used_nor_fetched(gateway: Gateway, parameter: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        secret = secrets.token_hex(32)
        key = {"kty": "oct", "k": urlsafe_b64encode(secret.encode()).decode()}
        brought = key if parameter == "jwk" else f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        token = gateway.token(key=secret, headers={parameter: brought})
        problem(gateway.client.get("/api/me", headers={"Authorization": f"Bearer {token}"}), 401)
        good = gateway.token(headers={parameter: brought})
        problem(gateway.client.get("/api/me", headers={"Authorization": f"Bearer {good}"}), 401)
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_token_of_64_kb_is_refused(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/me", headers={"Authorization": f"Bearer {'a' * 65_536}"})
    assert answer.status_code == {"nginx": 431, "traefik": 401, "envoy": 431}[gateway.door]


def test_a_token_elsewhere_than_in_its_header_is_ignored(gateway: Gateway) -> None:
    token = gateway.token()
    problem(gateway.client.get("/api/me", params={"access_token": token}), 401)
    problem(gateway.client.get("/api/me", headers={"Cookie": f"access_token={token}"}), 401)


def test_a_stale_token_does_not_stand_in_the_way_of_logging_in(gateway: Gateway) -> None:
    stale = gateway.bearer(exp=int(time.time()) - 900)
    assert gateway.client.post("/api/auth/login", json={}, headers=stale).json()["role"] == "anonymous"


def test_a_revoked_session_is_refused_within_a_second(gateway: Gateway) -> None:
    session = secrets.token_hex(8)
    headers = gateway.bearer(sid=session)
    other = gateway.bearer()
    assert gateway.client.get("/api/me", headers=headers).status_code == 200
    gateway.revoke(f"{secrets.token_hex(8)},{session}")
    took = eventually(
        lambda: gateway.client.get("/api/me", headers=headers).status_code == 401, timeout_seconds=1, what="revocation"
    )
    assert took < 1
    problem(gateway.client.get("/api/me", headers=headers), 401)
    assert gateway.client.get("/api/me", headers=other).status_code == 200


def test_a_request_id_is_kept_if_sane_and_made_otherwise(gateway: Gateway) -> None:
    kept = gateway.client.get("/api/courses", headers={"X-Request-ID": "order-0815.a"})
    assert sent(kept.json(), "x-request-id") == ["order-0815.a"]
    refused = gateway.client.get("/api/me", headers={"X-Request-ID": "order-0815.a"})
    assert refused.headers["x-request-id"] == "order-0815.a"
    for bad in ("short", "with space inside", 'quote"quote', "x" * 65):
        made = gateway.client.get("/api/courses", headers={"X-Request-ID": bad})
        assert [len(name) for name in sent(made.json(), "x-request-id")] == [32]


@only_nginx
def test_an_answer_bears_the_requests_id_and_not_one_of_the_services(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/courses")
    assert sent(answer.json(), "x-request-id") == answer.headers.get_list("x-request-id")


def test_a_trace_is_continued_or_begun_and_named_in_problems(gateway: Gateway) -> None:
    trace = secrets.token_hex(16)
    parent = f"00-{trace}-{secrets.token_hex(8)}-01"
    untrusted = {"tracestate": "vendor=1", "baggage": "who=ada"}
    told = gateway.client.get("/api/courses", headers={"traceparent": parent} | untrusted).json()
    assert sent(told, "traceparent") == [parent]
    assert [sent(told, name) for name in untrusted] == [[], []]
    assert problem(gateway.client.get("/api/me", headers={"traceparent": parent}), 401)["trace_id"] == trace
    begun = sent(gateway.client.get("/api/courses", headers={"traceparent": "00-zz"}).json(), "traceparent")[0]
    assert [len(part) for part in begun.split("-")] == [2, 32, 16, 2]


def test_the_clients_address_is_taken_from_trusted_proxies_only(gateway: Gateway) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https"}
    told = gateway.client.get("/api/courses", headers=headers).json()
    [addresses] = sent(told, "x-forwarded-for")
    assert addresses == "203.0.113.9" + ", 127.0.0.1" * (gateway.door == "traefik")  # it adds who asked it
    assert sent(told, "x-forwarded-proto") == ["https"]


def test_answers_tell_limits_and_hide_what_runs(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/me", headers=gateway.bearer(sub="501"))
    if gateway.door != "traefik":  # it has no way to add to an answer what the decision said
        assert answer.headers["ratelimit-policy"] == '"user";q=6000;w=60'
        assert answer.headers["ratelimit"].startswith('"user";r=')
    assert answer.headers.get("server", gateway.door) == gateway.door
    assert not {"x-powered-by", "x-accel-redirect"} & answer.headers.keys()
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.json()["service"] == "user", "a service can't redirect inside the gateway"


def test_a_services_own_errors_pass_untouched(gateway: Gateway) -> None:
    for status in (401, 403, 404, 429, 500, 503):
        answer = gateway.client.get("/api/courses", params={"status": status})
        assert (answer.status_code, answer.json()["service"]) == (status, "course")


@only_nginx
def test_no_token_nor_query_is_logged(gateway: Gateway) -> None:
    token = gateway.token()
    secret = secrets.token_hex(8)
    query = {"status": 200, "password": secret}
    gateway.client.get("/api/me", headers={"Authorization": f"Bearer {token}"}, params=query)
    gateway.client.get("/api/nothing", params={"token": secret})
    gateway.raw(f"GET /api/x%2f?token={secret} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), timeout_seconds=1)
    eventually(lambda: '"path":"/api/nothing"' in gateway.log("nginx"), what="the access log")
    logs = gateway.log("nginx") + gateway.log("decision")
    assert '"method":"GET","path":"/api/me","status":200' in logs
    assert secret not in logs
    assert token not in logs


def test_metrics_are_on_their_own_port(gateway: Gateway) -> None:
    text = httpx.get(f"http://127.0.0.1:{gateway.metrics_port}/metrics").text
    assert 'gateway_decisions_total{outcome="admitted",service="course"}' in text
    assert "gateway_revocations_age_seconds" in text
