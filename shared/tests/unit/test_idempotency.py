"""Keys and fingerprints, and which operations take them."""

import re
from collections.abc import Sequence

import pytest
from fastapi import APIRouter
from starlette.types import Message

from shared.access import access, takes_idempotency_key
from shared.idempotency.errors import KeyInvalidError, KeyReusedError
from shared.idempotency.request import KEY_PATTERN, ClientGoneError, KeyedRequest, key_of
from shared.openapi import describe, document


def scope(
    *keys: str, path: str = "/api/things", query: bytes = b"", content_type: bytes = b"text/plain"
) -> dict[str, object]:
    headers = [(b"idempotency-key", key.encode("latin-1")) for key in keys]
    return {
        "method": "POST",
        "path": path,
        "query_string": query,
        "headers": [*headers, (b"content-type", content_type)],
    }


async def fingerprint(*body: bytes, user_id: int = 7, **target: object) -> tuple[bytes, bytes | None]:
    request = KeyedRequest(scope("a-key", **target), arriving(*body), user_id=user_id)  # type: ignore[arg-type]
    await request.drop()
    return request.key_hash, request.fingerprint


def arriving(*body: bytes, is_whole: bool = True):  # type: ignore[no-untyped-def]
    parts: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts.append({"type": "http.request", "body": b"", "more_body": False} if is_whole else {"type": "http.disconnect"})

    async def receive() -> Message:
        return parts.pop(0)

    return receive


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", b"8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', b"8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (r'"a \"quoted\" \\ key"', rb'a "quoted" \ key'),
        (" padded\t", b"padded"),
        ("k" * 255, b"k" * 255),
        ('"' + "k" * 255 + '"', b"k" * 255),
        ('half"quoted', b'half"quoted'),
    ],
)
def test_a_key_is_read_with_or_without_quotes(value: str, key: bytes) -> None:
    assert key_of(scope(value)) == key


@pytest.mark.parametrize(
    "values",
    [
        ("k" * 256,),
        ('"' + "k" * 256 + '"',),
        ("a b",),
        ("ü",),
        ('"open',),
        ('""',),
        ('"a" "b"',),
        ('"a";p=1',),
        (r'"\a"',),
        ("a\x7f",),
        ("a", "a"),
    ],
)
def test_anything_else_is_refused(values: Sequence[str]) -> None:
    with pytest.raises(KeyInvalidError, match="Idempotency-Key"):
        key_of(scope(*values))


async def test_a_fingerprint_tells_requests_apart_and_not_how_they_arrived() -> None:
    key_hash, whole = await fingerprint(b"abc")
    assert (key_hash, whole) == await fingerprint(b"a", b"", b"bc")
    for other in ({"query": b"x=1"}, {"path": "/api/thing"}, {"user_id": 8}):
        assert (await fingerprint(b"abc", **other))[0] != key_hash
    assert (await fingerprint(b"abd")) == (key_hash, (await fingerprint(b"abd"))[1])
    assert len({whole, (await fingerprint(b"abd"))[1], (await fingerprint(b"abc", content_type=b"text/html"))[1]}) == 3


def multipart(boundary: bytes, content: bytes) -> bytes:
    part = b"Content-Disposition: form-data; name=file; filename=a\r\n\r\n" + content
    return b"--" + boundary + b"\r\n" + part + b"\r\n--" + boundary + b"--\r\n"


@pytest.mark.parametrize("boundary", [b"----WebKitFormBoundary7MA4", b"aa--aa", b"a"])
@pytest.mark.parametrize("content", [b"", b"--", b"--a--aa--aa--aa" * 3, b"--\0\r\n"])
async def test_a_form_is_the_same_with_another_boundary_however_it_is_cut(boundary: bytes, content: bytes) -> None:
    async def of(used: bytes, content: bytes, *, step: int = 1000) -> bytes | None:
        body = multipart(used, content)
        parts = [body[start : start + step] for start in range(0, len(body), step)]
        return (await fingerprint(*parts, content_type=b"multipart/form-data; boundary=" + used))[1]

    whole = await of(boundary, content)
    assert {await of(boundary, content, step=step) for step in range(1, len(boundary) + 4)} == {whole}
    assert await of(b"0123456789abcdef", b"other") == await of(b"fedcba9876543210", b"other")
    assert whole != await of(boundary, content + b"!")


async def test_a_body_that_is_still_arriving_can_be_no_other() -> None:
    request = KeyedRequest(scope("a-key"), arriving(b"abc"), user_id=7)
    request.check_same(b"what is known of the first")
    await request.collect()
    with pytest.raises(KeyReusedError):
        request.check_same(b"what is known of the first")
    request.check_same(request.fingerprint)
    request.check_same(None)


async def test_a_collected_body_reaches_the_application_as_it_came() -> None:
    request = KeyedRequest(scope("a-key"), arriving(b"ab", b"c"), user_id=7)
    await request.collect()
    assert [(await request.receive())["body"] for _ in range(3)] == [b"ab", b"c", b""]


async def test_a_client_that_leaves_is_noticed() -> None:
    request = KeyedRequest(scope("a-key"), arriving(b"ab", is_whole=False), user_id=7)
    with pytest.raises(ClientGoneError):
        await request.collect()
    assert request.fingerprint is None


def declared(*allow: str, **options: bool) -> dict[str, object]:
    declaration: dict[str, object] = access(*allow, **options)["x-smartcourse-access"]  # type: ignore[arg-type]
    return declaration


def test_a_post_by_somebody_takes_keys_unless_it_opts_out() -> None:
    assert takes_idempotency_key("post", declared("authenticated"))
    assert takes_idempotency_key("POST", declared("student", "admin"))
    assert not takes_idempotency_key("POST", declared("public"))
    assert not takes_idempotency_key("PUT", declared("authenticated"))
    assert not takes_idempotency_key("POST", declared("authenticated", idempotency=False))


def test_the_description_says_which_operations_take_keys() -> None:
    router = APIRouter()
    for name, extra in (
        ("kept", access("admin")),
        ("secret", access("admin", idempotency=False)),
        ("open", access("public")),
    ):
        router.add_api_route(f"/{name}", lambda: None, methods=["POST"], name=name, openapi_extra=extra)
    paths = document(describe(title="Example", routers=[router]))["paths"]
    (parameter,) = paths["/kept"]["post"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("Idempotency-Key", "header", False)
    assert re.fullmatch(parameter["schema"]["pattern"], '"a key"')
    assert parameter["schema"]["pattern"] == KEY_PATTERN
    assert {"400", "409", "422"} <= paths["/kept"]["post"]["responses"].keys()
    for other in ("secret", "open"):
        assert "parameters" not in paths[f"/{other}"]["post"]
        assert "409" not in paths[f"/{other}"]["post"]["responses"]
