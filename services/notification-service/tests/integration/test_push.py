"""Web Push, from a subscription to what a browser decrypts, through a real HTTP server."""

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientTimeout
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from http_ece import ECEException
from notification_certificates import make_certificate
from push_server import Browser, PushServer, running_push_server

from notification_service.channels import push

PATH = "/api/notifications/push"


async def subscribe(world: Any, user_id: int, browser: Browser, **more: Any) -> dict[str, Any]:
    async with world.client(user_id) as client:
        answer = await client.post(f"{PATH}/subscriptions", json=browser.subscription(**more))
    assert answer.status_code in {200, 201}, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


async def told(world: Any, user_id: int, title: str = "Analytical Engines") -> None:
    """The person is enrolled, and wants to hear of it by push."""
    assert (await world.prefer(user_id, "enrolled", push=True)).status_code == 200
    await world.deliver(world.enrollment(user_id, title))
    await world.delivered()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(authorization: str) -> tuple[dict[str, Any], str]:
    """The claims of a VAPID header (RFC 8292) whose signature is good, and the key that signed them."""
    scheme, _, parameters = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(each.strip().split("=", 1) for each in parameters.split(","))
    signed, _, signature = parts["t"].rpartition(".")
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(parts["k"]))
    key.verify(der, signed.encode(), ECDSA(SHA256()))
    header, _, claims = signed.partition(".")
    assert json.loads(decoded(header))["alg"] == "ES256"
    return json.loads(decoded(claims)), parts["k"]


async def test_a_browser_decrypts_what_it_is_told_and_knows_who_told_it(
    push_world: Any, push_server: PushServer
) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, browser)
    await told(push_world, ada, "分析机 & engines")
    [received] = push_server.received
    payload = browser.read(received.body)
    assert payload == {
        "id": payload["id"],
        "type": "enrolled",
        "title": "You are enrolled in 分析机 & engines",
        "body": "Your place in 分析机 & engines is confirmed. You can begin with the first lesson at once.",
        "link": "/api/enrollments/7",
    }
    claims, key = verified(received.headers["Authorization"])
    assert (claims["aud"], claims["sub"]) == (push_server.url, "mailto:admin@academy.example")
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600
    async with push_world.client(ada) as client:
        assert (await client.get(f"{PATH}/key")).json() == {"public_key": key}
    assert received.headers["Content-Encoding"] == "aes128gcm"
    assert int(received.headers["TTL"]) > 0
    assert len(received.headers["Topic"]) <= 32


async def test_another_browser_cannot_read_it(push_world: Any, push_server: PushServer) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, browser)
    await told(push_world, ada)
    with pytest.raises(ECEException):
        Browser(browser.endpoint).read(push_server.received[0].body)


async def test_https_is_spoken_and_verified(
    start: Any, with_push: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with running_push_server(tls) as server, start(**with_push) as world:
        ada, browser = await world.new_user(), server.browser()
        await subscribe(world, ada, browser)
        await told(world, ada)
        assert browser.read(server.received[0].body)["type"] == "enrolled"


async def test_every_browser_of_the_person_is_told_and_nobody_elses(push_world: Any, push_server: PushServer) -> None:
    ada, bob = await push_world.new_user(), await push_world.new_user()
    hers = [push_server.browser() for _ in range(3)]
    for browser in hers:
        await subscribe(push_world, ada, browser)
    await subscribe(push_world, bob, push_server.browser())
    await told(push_world, ada)
    assert sorted(each.path for each in push_server.received) == sorted(
        f"/{browser.endpoint.rpartition('/')[2]}" for browser in hers
    )


async def test_subscribing_again_renews_and_a_browser_belongs_to_whoever_was_last(
    push_world: Any, push_server: PushServer
) -> None:
    ada, bob, browser = await push_world.new_user(), await push_world.new_user(), push_server.browser()
    async with push_world.client(ada) as client:
        first = await client.post(f"{PATH}/subscriptions", json=browser.subscription())
        second = await client.post(f"{PATH}/subscriptions", json=browser.subscription())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert await subscribe(push_world, bob, browser) == first.json()
    async with push_world.client(ada) as client:
        assert (await client.get(f"{PATH}/subscriptions")).json() == {"items": []}
    async with push_world.client(bob) as client:
        assert (await client.get(f"{PATH}/subscriptions")).json() == {"items": [first.json()]}
    await told(push_world, ada)
    assert push_server.received == []


async def test_what_was_on_its_way_to_a_browser_does_not_reach_its_next_owner(
    push_world: Any, push_server: PushServer
) -> None:
    ada, bob, browser = await push_world.new_user(), await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, browser)
    await push_world.sql.execute(
        "CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.due_at := now() + interval '1 hour'; RETURN NEW; END $$;"
        "CREATE TRIGGER later BEFORE INSERT ON notification_deliveries FOR EACH ROW EXECUTE FUNCTION later()"
    )
    try:
        await push_world.prefer(ada, "enrolled", push=True)
        await push_world.deliver(push_world.enrollment(ada))
        await push_world.settled()
        await subscribe(push_world, bob, browser)
    finally:
        await push_world.sql.execute("DROP FUNCTION later CASCADE")
    await push_world.sql.execute("UPDATE notification_deliveries SET due_at = now()")
    await push_world.delivered()
    assert await push_world.deliveries() == ["cancelled"]
    assert push_server.received == []


async def test_parallel_subscriptions_of_one_browser_make_one(push_world: Any, push_server: PushServer) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    async with push_world.client(ada) as client:
        answers = await asyncio.gather(
            *(client.post(f"{PATH}/subscriptions", json=browser.subscription()) for _ in range(10))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
        assert len((await client.get(f"{PATH}/subscriptions")).json()["items"]) == 1


async def test_the_newest_twenty_browsers_stay(push_world: Any, push_server: PushServer) -> None:
    ada = await push_world.new_user()
    stored = [await subscribe(push_world, ada, push_server.browser()) for _ in range(21)]
    async with push_world.client(ada) as client:
        items = (await client.get(f"{PATH}/subscriptions")).json()["items"]
    assert items == stored[:0:-1]


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_has_ended_is_removed(push_world: Any, push_server: PushServer, status: int) -> None:
    ada = await push_world.new_user()
    await subscribe(push_world, ada, push_server.browser())
    push_server.answers = [(status, {})]
    await told(push_world, ada)
    assert await push_world.sql.fetchval("SELECT count(*) FROM push_subscriptions") == 0
    await push_world.deliver(push_world.enrollment(ada))
    await push_world.delivered()
    assert len(push_server.received) == 1


async def test_an_expired_subscription_is_told_nothing(push_world: Any, push_server: PushServer) -> None:
    ada, soon = await push_world.new_user(), (time.time() + 0.3) * 1000
    await subscribe(push_world, ada, push_server.browser(), expirationTime=soon)
    await asyncio.sleep(0.4)
    await told(push_world, ada)
    assert push_server.received == []


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_push_service_is_asked_again(push_world: Any, push_server: PushServer, status: int) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, browser)
    push_server.answers = [(status, {})]
    await told(push_world, ada)
    assert [browser.read(each.body)["type"] for each in push_server.received] == ["enrolled"] * 2
    assert len({each.headers["Topic"] for each in push_server.received}) == 1, "a repetition replaces the first"


async def test_retry_after_is_heeded(push_world: Any, push_server: PushServer, eventually: Any) -> None:
    ada = await push_world.new_user()
    await subscribe(push_world, ada, push_server.browser())
    push_server.answers = [(429, {"Retry-After": "120"})]
    await push_world.prefer(ada, "enrolled", push=True)
    await push_world.deliver(push_world.enrollment(ada))

    async def was_asked() -> bool:
        wait = "SELECT extract(epoch FROM due_at - now()) FROM notification_deliveries WHERE reason IS NOT NULL"
        return (await push_world.sql.fetchval(wait) or 0) > 100

    await eventually(was_asked)
    assert len(push_server.received) == 1


@pytest.mark.parametrize(("status", "headers"), [(400, {}), (403, {}), (413, {}), (307, {"Location": "/elsewhere"})])
async def test_a_final_refusal_is_a_dead_letter_and_no_redirection_is_followed(
    push_world: Any, push_server: PushServer, status: int, headers: dict[str, str]
) -> None:
    ada = await push_world.new_user()
    await subscribe(push_world, ada, push_server.browser())
    push_server.answers = [(status, headers)]
    await told(push_world, ada)
    assert await push_world.deliveries() == ["dead"]
    assert len(push_server.received) == 1


async def test_a_push_service_that_cannot_be_reached_does_not_hold_up_another(
    push_world: Any, push_server: PushServer
) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, Browser("http://127.0.0.1:9/nobody"))
    await subscribe(push_world, ada, browser)
    await told(push_world, ada)
    assert sorted(await push_world.deliveries()) == ["dead", "sent"]
    assert len(push_server.received) == 1


async def test_one_browser_that_never_answers_holds_up_nobody(
    push_world: Any, push_server: PushServer, eventually: Any
) -> None:
    ada, bob = await push_world.new_user(), await push_world.new_user()
    stalling, quick = push_server.browser(), push_server.browser()
    push_server.silent.add(urlsplit(stalling.endpoint).path)
    for person, browser in ((ada, stalling), (bob, quick)):
        await subscribe(push_world, person, browser)
        await push_world.prefer(person, "enrolled", push=True)

    async def is_stalling() -> bool:
        return len(push_server.received) == 1

    async def are_told() -> bool:
        return len(push_server.received) >= 21

    await push_world.deliver(push_world.enrollment(ada))
    await eventually(is_stalling)
    await push_world.deliver(*(push_world.enrollment(bob) for _ in range(20)))
    await eventually(are_told)
    stalled = await push_world.sql.fetchrow(
        "SELECT d.attempts, d.reason FROM notification_deliveries d JOIN notifications n ON n.id = d.notification_id"
        " WHERE n.user_id = $1",
        ada,
    )
    assert tuple(stalled) == (1, None), "it is still at its first attempt"


async def test_a_browser_whose_push_service_never_answers_is_given_up(
    push_world: Any, push_server: PushServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "SILENCES", 3)
    monkeypatch.setattr(push, "TIMEOUT", ClientTimeout(total=0.3))
    ada, browser = await push_world.new_user(), push_server.browser()
    push_server.silent.add(urlsplit(browser.endpoint).path)
    await subscribe(push_world, ada, browser)
    await told(push_world, ada)
    assert len(push_server.received) == 3
    assert await push_world.sql.fetchval("SELECT count(*) FROM push_subscriptions") == 0


async def test_the_longest_text_fits_into_a_push(push_world: Any, push_server: PushServer) -> None:
    ada, browser = await push_world.new_user(), push_server.browser()
    await subscribe(push_world, ada, browser)
    await told(push_world, ada, "分" * 4000)
    [received] = push_server.received
    assert len(received.body) <= 4096
    assert browser.read(received.body)["title"].startswith("You are enrolled in 分")


async def test_unsubscribing_ends_it_and_is_only_ones_own(push_world: Any, push_server: PushServer) -> None:
    ada, bob = await push_world.new_user(), await push_world.new_user()
    stored = await subscribe(push_world, ada, push_server.browser())
    url = f"{PATH}/subscriptions/{stored['id']}"
    async with push_world.client(bob) as client:
        assert (await client.delete(url)).status_code == 404
    async with push_world.client(ada) as client:
        assert (await client.delete(url)).status_code == 204
        assert (await client.delete(url)).status_code == 404
    await told(push_world, ada)
    assert push_server.received == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://10.96.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/x",
        "https://2130706433/x",
        "https://user:password@192.0.2.1/x",
        "http://push.example/x",
    ],
)
async def test_an_endpoint_inside_is_refused(start: Any, with_push: dict[str, Any], endpoint: str) -> None:
    async with start(**(with_push | {"push_allow_private": False})) as world:
        ada = await world.new_user()
        async with world.client(ada) as client:
            answer = await client.post(f"{PATH}/subscriptions", json=Browser(endpoint).subscription())
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:smartcourse:problem:push-endpoint-refused")


async def test_an_endpoint_that_leads_inside_later_is_not_connected_to(
    start: Any, with_push: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subscribed while its name was harmless, or by a way around the check: the connection itself is refused."""
    authority, tls = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with running_push_server(tls) as server:
        async with start(**with_push) as world:
            ada = await world.new_user()
            await subscribe(world, ada, server.browser())
            await told(world, ada)
        assert len(server.received) == 1, "it can be reached, where that is allowed"
        async with start(**(with_push | {"push_allow_private": False})) as world:
            await world.deliver(world.enrollment(ada))
            await world.delivered()
            reason = await world.sql.fetchval("SELECT reason FROM notification_deliveries WHERE state = 'dead'")
        assert reason == "the endpoint's host is not on the public internet"
        assert len(server.received) == 1


async def test_without_a_key_push_is_off_and_says_so(world: Any) -> None:
    ada = await world.new_user()
    async with world.client(ada) as client:
        key = await client.get(f"{PATH}/key")
        made = await client.post(f"{PATH}/subscriptions", json=Browser("https://push.example/x").subscription())
        listed = await client.get(f"{PATH}/subscriptions")
    for answer in (key, made):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:smartcourse:problem:push-not-configured")
    assert listed.json() == {"items": []}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint": "ftp://push.example"}, "body.endpoint"),
        ({"endpoint": "https://push.example/" + "x" * 2048}, "body.endpoint"),
        ({"endpoint": "https://push.example/a b"}, "body.endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "A" * 22}}, "body.keys.p256dh"),
        ({"keys": {"p256dh": "!", "auth": "AAAA"}}, "body.keys.auth"),
        ({"expirationTime": 1e300}, "body.expirationTime"),
        ({"expirationTime": -1}, "body.expirationTime"),
        ({"surprise": 1}, "body.surprise"),
    ],
)
async def test_a_subscription_that_makes_no_sense_is_refused(
    push_world: Any, push_server: PushServer, change: dict[str, Any], field: str
) -> None:
    async with push_world.client(1) as client:
        answer = await client.post(f"{PATH}/subscriptions", json=push_server.browser().subscription() | change)
    assert answer.status_code == 422
    assert field in [error["loc"] for error in answer.json()["errors"]]
