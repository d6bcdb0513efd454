"""Each defence, broken by itself, makes a named test fail: none is covered by another that stands beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = (ROOT / "services" / "api-gateway" / "src" / "api_gateway", ROOT / "shared" / "shared")
AUTH, DECIDE = "api_gateway/middleware/auth.py", "api_gateway/decision/decide.py"
DATA_PLANE = "api_gateway/data_plane/headers.py"
NGINX = "api_gateway/nginx/nginx.conf.template"
UNIT, INTEGRATION = "services/api-gateway/tests/unit/", "services/api-gateway/tests/integration/"
ACCESS, WIRE = INTEGRATION + "test_access.py::", INTEGRATION + "test_wire.py::"
BAD_TOKEN = ACCESS + "test_a_token_that_breaks_a_rule_is_refused"
ONE_DOOR = "not traefik and not envoy"
A_TEST_FAILED = 1


@dataclass(frozen=True)
class Mutation:
    """`old` in `file` becomes `new`; then `test` fails, asked through `doors` where it has some."""

    file: str
    old: str
    new: str
    test: str
    doors: str = ONE_DOOR


MUTATIONS = {
    # tokens
    "the signature's algorithm": Mutation(
        AUTH,
        'algorithms=["HS256"]',
        'algorithms=["HS256", "HS384", "HS512"]',
        ACCESS + "test_tokens_signed_or_headed_otherwise_are_refused",
    ),
    "the key's name": Mutation(
        AUTH,
        'or not isinstance(header.get("kid"), str)',
        "or False",
        ACCESS + "test_tokens_signed_or_headed_otherwise_are_refused",
    ),
    "unknown header parameters": Mutation(
        AUTH,
        "if not _HEADERS.issuperset(header) or",
        "if",
        ACCESS + "test_a_key_that_a_token_brings_along_is_neither_used_nor_fetched",
    ),
    "the issuer": Mutation(AUTH, "issuer=self._issuer,\n", "", BAD_TOKEN),
    "one audience, as text": Mutation(AUTH, '"strict_aud": True, ', "", BAD_TOKEN),
    "the kind of token": Mutation(AUTH, 'claims["type"] != "access"', "False", BAD_TOKEN),
    "the role": Mutation(AUTH, "and role in _ROLES", "", BAD_TOKEN),
    "the session's form": Mutation(AUTH, "and _SESSION.fullmatch(session) is not None", "", BAD_TOKEN),
    "the subject": Mutation(AUTH, "0 < int(subject[:20])", "0 <= int(subject[:20])", BAD_TOKEN),
    "a claim that is there twice": Mutation(
        AUTH,
        "len(result) != len(pairs)",
        "False",
        UNIT + "test_auth.py::test_a_claim_stated_twice_is_refused",
    ),
    "expiry of what is remembered": Mutation(
        AUTH,
        "principal.expires_at <= self._clock()",
        "False",
        UNIT + "test_auth.py::test_a_token_is_remembered_until_it_expires",
    ),
    "revoked sessions": Mutation(
        DECIDE,
        "if principal.session_id in self._revocations:",
        "if False:",
        ACCESS + "test_a_revoked_session_is_refused_within_a_second",
    ),
    # routes and roles
    "roles": Mutation(
        DECIDE, "if not route.admits(principal.role):", "if False:", ACCESS + "test_the_wrong_role_is_403"
    ),
    "public by method": Mutation(
        "api_gateway/routing.py",
        "return self.is_public or role in self.allow",
        'return self.is_public or self.path == "/api/courses" or role in self.allow',
        ACCESS + "test_the_public_catalogue_does_not_make_its_path_public",
    ),
    "whole paths": Mutation(
        "api_gateway/routing.py",
        "if depth == len(segments):",
        "if depth == len(segments) or self.routes:",
        UNIT + "test_routing.py",
    ),
    "one form of a target": Mutation(
        "api_gateway/target.py",
        "return _canonical.fullmatch(target) is not None",
        "return True",
        UNIT + "test_target.py::test_ambiguous_targets_are_not",
    ),
    "scopes of keys": Mutation(DECIDE, "if route.scope not in scopes:", "if False:", INTEGRATION + "test_api_keys.py"),
    "routes that take no keys": Mutation(
        DECIDE, "if not route.api_keys:", "if False:", INTEGRATION + "test_api_keys.py"
    ),
    # limits
    "the limit": Mutation(
        DECIDE,
        "if not verdict.is_allowed:",
        "if False:",
        INTEGRATION + "test_limits.py::test_exactly_the_limit_passes_of_many_parallel_requests",
    ),
    "a subscriber's IPv6 network": Mutation(
        "api_gateway/middleware/client.py", "(parsed, 64)", "(parsed, 128)", UNIT + "test_client.py"
    ),
    "exactness over processes": Mutation(
        "api_gateway/middleware/acquire.lua",
        "local free = math.max(0, limit - used)",
        "local free = limit",
        INTEGRATION + "test_limits.py::test_processes_together_grant_exactly_the_limit",
    ),
    # what is handed on
    "headers of a client": Mutation(
        NGINX,
        "      proxy_pass_request_headers off;\n      include %{run_dir}/passed.conf;",
        "      include %{run_dir}/passed.conf;",
        ACCESS + "test_a_token_becomes_a_signed_identity_and_goes_no_further",
    ),
    "headers of a client, at a data plane": Mutation(
        DATA_PLANE,
        '"X-Original-Method", ',
        "",
        ACCESS + "test_headers_that_could_steer_a_service_never_arrive",
        doors="traefik",
    ),
    "other spellings, at a data plane": Mutation(
        "api_gateway/data_plane/traefik.py",
        '"authResponseHeadersRegex": ALIASES,',
        "",
        ACCESS + "test_identity_headers_of_a_client_never_arrive",
        doors="traefik",
    ),
    "identity, at a data plane": Mutation(
        DATA_PLANE,
        'TIME_HEADER, SIGNATURE_HEADER, "X-Request-ID"',
        'TIME_HEADER, "X-Request-ID"',
        ACCESS + "test_identity_headers_of_a_client_never_arrive",
        doors="traefik",
    ),
    "slow heads, at a data plane": Mutation(
        "api_gateway/data_plane/envoy.py",
        '"request_headers_timeout": "10s",',
        "",
        INTEGRATION + "test_doors.py::test_clients_that_are_slow_to_ask_are_given_up_by_envoy_and_hold_up_nobody",
        doors="envoy",
    ),
    "a service's word on other origins": Mutation(
        DATA_PLANE,
        '"Access-Control-Allow-Origin", ',
        "",
        INTEGRATION + "test_doors.py::test_no_door_lets_pages_of_an_origin_in_that_nobody_listed",
        doors="envoy",
    ),
    "a target of the client's choosing": Mutation(
        "api_gateway/data_plane/traefik.py",
        'dict.fromkeys((FORWARDED_METHOD, FORWARDED_TARGET, CLIENT_ADDRESS), "")',
        "{}",
        INTEGRATION + "test_doors.py::test_a_trusted_proxy_cannot_hand_on_another_target_method_or_address",
    ),
    "redirects inside": Mutation(
        NGINX,
        "proxy_ignore_headers X-Accel-Redirect ",
        "proxy_ignore_headers ",
        ACCESS + "test_answers_tell_limits_and_hide_what_runs",
    ),
    "the query in the log": Mutation(
        NGINX,
        "~^(?<path_of_request>[^?]*)",
        "~^(?<path_of_request>.*)",
        ACCESS + "test_no_token_nor_query_is_logged",
    ),
    "HTTP/0.9": Mutation(
        NGINX, 'if ($server_protocol = "") { return 444; }', "", WIRE + "test_http_0_9_is_not_answered"
    ),
    "the signed target": Mutation(
        "shared/identity.py",
        "\\n{method.upper()}\\n{target}",
        "\\n{method.upper()}\\n",
        "shared/tests/unit/test_identity.py",
    ),
    "the signature": Mutation(
        "shared/middleware/identity.py",
        "hmac.compare_digest(",
        "(lambda *_: True)(",
        "shared/tests/unit/test_identity.py",
    ),
    # knowledge
    "readiness without revocations": Mutation(
        "api_gateway/middleware/revocation.py",
        "return self._confirmed is not None",
        "return True",
        INTEGRATION + "test_revocations.py",
    ),
    "grace has an end": Mutation(
        DECIDE,
        "return self._revocations.age_seconds <= max(self._grace_seconds, _STALE_SECONDS)",
        "return True",
        INTEGRATION + "test_outages.py::test_without_redis_known_tokens_pass_for_the_grace_time_only",
    ),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_broken_defence_is_noticed(what: str, tmp_path: Path) -> None:
    mutation = MUTATIONS[what]
    for package in PACKAGES:
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / mutation.file
    text = file.read_text(encoding="utf-8")
    assert mutation.old in text, "the defence is written otherwise by now: follow it here"
    file.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
    # Seen from the repository, cases of `shared` would bring their own package, which is whole.
    member = mutation.test.split("/tests/", 1)[0]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", "pyproject.toml",
               "--rootdir", member, "-k", mutation.doors, mutation.test]  # fmt: skip
    broken = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=broken, capture_output=True, text=True, check=False, timeout=180)
    assert run.returncode == A_TEST_FAILED, run.stdout[-3000:] + run.stderr[-1000:]
