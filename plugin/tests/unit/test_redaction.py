"""What is taken out of a text or an object, and what stays."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from smartcourse_kubectl.core.redaction import Redactor, public_words, without_known_forms


def secret(**values: str) -> dict[str, Any]:
    data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"kind": "Secret", "metadata": {"name": "s"}, "data": data}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://user:hunter2@host/db failed", "postgresql://user:[redacted]@host/db failed"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer [redacted]"),
        ("GET /x?token=hunter2&page=2", "GET /x?token=[redacted]&page=2"),
        ('{"password": "hunter2", "page": 2}', '{"password": "[redacted]", "page": 2}'),
        ('{"password": "hun\\"ter2"}', '{"password": "[redacted]"}'),
        ("MONGO_PASSWORD=hunter2 started", "MONGO_PASSWORD=[redacted] started"),
        ("client_secret: 'hunter2'", "client_secret: '[redacted]'"),
        ("-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\nend", "[redacted]\nend"),
    ],
)
def test_what_is_secret_by_its_form_is_blanked_out(text: str, kept: str) -> None:
    assert without_known_forms(text) == kept


@pytest.mark.parametrize(
    "text",
    ["secretName: academy-auth", "the password: it is asked for", "secretKeyRef:\n  name: academy-user-db",
     "automountServiceAccountToken: false", "https://host:8443/path", "tokens are verified once"],
)  # fmt: skip
def test_what_only_sounds_secret_stays(text: str) -> None:
    assert without_known_forms(text) == text


@pytest.mark.parametrize("value", ["p4ss/w0rd+=", 'quo"ted\\', "grün", "short"])
def test_a_value_is_found_however_it_is_written(value: str) -> None:
    redactor = Redactor([secret(password=value)])
    written = [value, quote(value, safe=""), json.dumps(value), json.dumps(value, ensure_ascii=False),
               base64.b64encode(value.encode()).decode()]  # fmt: skip
    for form in written:
        assert redactor.text(f"<{form}>").count("[redacted: Secret s, password]") == 1
        assert form.strip('"') not in redactor.text(f"<{form}>")


def test_the_password_of_a_secrets_url_is_found_by_itself() -> None:
    redactor = Redactor([secret(url="redis://:p%2Fw@host:6379/0")])
    assert "p/w" not in redactor.text("it said p/w")
    assert "p%2Fw" not in redactor.text("it said p%2Fw")


def test_lines_of_a_long_value_are_found_one_by_one() -> None:
    key = "-----BEGIN X-----\nMIIBszCCAVmgAwIBAgI\n-----END X-----\n"
    assert "MIIBszCCAVmgAwIBAgI" not in Redactor([secret(tls_crt=key)]).lines("a MIIBszCCAVmgAwIBAgI b")


def test_public_words_and_trifles_stay_unless_their_key_is_secret() -> None:
    found = [secret(username="academy", database="smartcourse", port="5432", pin="postgres")]
    text = "academy smartcourse 5432 postgres"
    assert Redactor(found, public=public_words("academy")).text(text) == text
    assert "postgres" not in Redactor([secret(password="postgres")], public=public_words()).text("postgres")


def test_one_line_of_a_log_does_not_take_the_next_ones_along() -> None:
    log = "ERROR: duplicate\nDETAIL:  Key (email)=(a@b.c) exists.\nnext\n"
    assert Redactor().lines(log) == "ERROR: duplicate\nDETAIL:  [redacted]\nnext\n"


def test_of_a_secret_only_keys_are_left() -> None:
    document = {**secret(password="hunter2"), "stringData": {"x": "hunter2"}, "type": "Opaque"}
    document["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    assert "hunter2" not in yaml.safe_dump(kept := Redactor().document(document))
    assert "aHVudGVyMg==" not in yaml.safe_dump(kept)
    assert kept["data"] == {"password": "[redacted]"}


def test_environment_variables_keep_their_names_and_sources_only() -> None:
    reference = {"secretKeyRef": {"name": "academy-auth", "key": "jwt-secret"}}
    env = [{"name": "A", "value": "hunter2"}, {"name": "B", "valueFrom": reference}]
    document = {
        "kind": "Pod",
        "metadata": {"name": "p", "managedFields": [{}], "annotations": {"a": "mongodb://u:hunter2@h"}},
        "spec": {"containers": [{"env": env}], "services": {"user": {"env": {"C": "hunter2"}}}},
    }
    kept = Redactor().document(document)
    assert "hunter2" not in json.dumps(kept)
    assert kept["spec"]["containers"][0]["env"] == [
        {"name": "A", "value": "[redacted]"},
        {"name": "B", "valueFrom": reference},
    ]
    assert kept["spec"]["services"]["user"]["env"] == {"C": "[redacted]"}
    assert "managedFields" not in kept["metadata"]
