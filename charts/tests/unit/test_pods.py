"""What holds for every pod, whatever runs in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Render = Callable[..., list[Document]]


def secrets_of(container: Document) -> set[tuple[str, str]]:
    """The (Secret, key) pairs that a container is given."""
    sources = [each["valueFrom"]["secretKeyRef"] for each in container.get("env", []) if "valueFrom" in each]
    return {(source["name"], source["key"]) for source in sources}


def deployment(objects: list[Document], name: str) -> Document:
    [found] = [each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == name]
    return found


def test_pods_are_restricted(pods: dict[str, Document]) -> None:
    assert pods
    for where, pod in pods.items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, where
        assert context["runAsUser"] > 0, where
        assert context["fsGroup"] > 0, where
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & pod.keys(), where
        assert all(volume.keys() & {"emptyDir", "configMap", "secret"} for volume in pod.get("volumes", [])), where


def test_no_pod_gets_a_service_account_token_or_other_services_addresses(pods: dict[str, Document]) -> None:
    for where, pod in pods.items():
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["enableServiceLinks"] is False, where
        assert pod["serviceAccountName"].startswith("academy-"), where


def test_every_account_a_pod_runs_under_is_made_in_the_first_phase(
    objects: list[Document], pods: dict[str, Document]
) -> None:
    accounts = {each["metadata"]["name"]: each for each in objects if each["kind"] == "ServiceAccount"}
    of_the_operators_jobs = {"academy-backup"}
    assert {pod["serviceAccountName"] for pod in pods.values()} | of_the_operators_jobs == accounts.keys()
    for account in accounts.values():
        assert account["metadata"]["labels"]["smartcourse.io/phase"] == "datastores"
        assert account["automountServiceAccountToken"] is False


def test_containers_cannot_write_or_gain_anything(containers: dict[str, Document]) -> None:
    for where, container in containers.items():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, where
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, where


def test_containers_say_what_they_need_and_what_they_may_not_exceed(containers: dict[str, Document]) -> None:
    for where, container in containers.items():
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), where
        assert "memory" in container["resources"]["limits"], where


def test_what_runs_on_is_asked_whether_it_started_is_ready_and_lives(pods: dict[str, Document]) -> None:
    for where, pod in pods.items():
        for container in [] if where.startswith("Job") else pod["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), where
            assert container["startupProbe"]["periodSeconds"] <= 2, where


def test_services_are_alive_without_their_datastores_and_ready_only_with_them(render: Render) -> None:
    for name in ("user", "course", "notification"):
        [container] = deployment(render(), f"academy-{name}")["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_services_wait_for_their_schema(render: Render) -> None:
    for name in ("user", "course", "notification"):
        [init] = deployment(render(), f"academy-{name}")["spec"]["template"]["spec"]["initContainers"]
        assert init["name"] == "wait-for-schema"
        assert init["command"][:4] == ["python", "-m", f"{name}_service.migrations", "wait"]
        assert secrets_of(init) == {(f"academy-{name}-db", "url")}


def test_every_image_comes_from_the_values(render: Render) -> None:
    components = ("gateway", "user", "course", "notification", "postgres", "mongodb", "redis")
    sets = [f"global.images.{name}=registry.test/{name}:x" for name in components]
    found = set()
    for each in render("httproute", *sets, "global.imagePullPolicy=Never"):
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            found.add(container["image"])
            assert container["imagePullPolicy"] == "Never"
    assert found == {f"registry.test/{name}:x" for name in components}


def test_pull_secrets_reach_every_pod(render: Render) -> None:
    for each in render("production"):
        if pod := each.get("spec", {}).get("template", {}).get("spec"):
            assert pod["imagePullSecrets"] == [{"name": "registry"}]


REDIS_KEYS = ("url", "password", "spare-password")


def test_each_container_gets_only_the_secrets_it_needs(render: Render) -> None:
    identity = {("academy-auth", "identity-key"), ("academy-auth", "identity-key-previous")}
    tokens = {("academy-auth", "jwt-secret"), ("academy-auth", "jwt-secret-previous")}
    redis = {("academy-redis", "url")}
    expected = {
        "user": {("academy-user-db", "url"), *redis, *identity, *tokens},
        "course": {("academy-course-db", "url"), ("academy-course-mongodb", "url"), *redis, *identity},
        "notification": {
            ("academy-notification-db", "url"),
            ("academy-smtp", "url"),
            ("academy-push", "private-key"),
            *redis,
            *identity,
        },
        "nginx": set(),
        "decide": {*redis, *identity, *tokens},
        "postgres": {("academy-postgres", "password")},
        "mongodb": {("academy-mongodb", "root-password")},
        "redis": {("academy-redis-admin", "password"), *(("academy-redis", key) for key in REDIS_KEYS)},
    }
    found = {
        container["name"]: secrets_of(container)
        for each in render()
        if each["kind"] in {"Deployment", "StatefulSet"}
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert found == expected


def test_secrets_that_are_called_otherwise_are_used_by_that_name(render: Render) -> None:
    keys = (
        "auth",
        "admin",
        "postgres",
        "user-db",
        "course-db",
        "notification-db",
        "mongodb",
        "course-mongodb",
        "redis",
        "redis-admin",
        "smtp",
        "push",
        "kafka",
    )
    named = [f"global.secretNames.{key}=other-{key}" for key in keys]
    objects = render("httproute", "global.events.broker=kafka", *named)
    found = set()
    for each in objects:
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            found |= {name for name, _ in secrets_of(container)}
    assert found == {f"other-{key}" for key in keys}


def test_no_variable_is_given_twice_and_a_components_own_goes_before(
    render: Render, containers: dict[str, Document]
) -> None:
    for where, container in containers.items():
        names = [each["name"] for each in container.get("env", [])]
        assert len(names) == len(set(names)), where
    [container] = deployment(render("production"), "academy-notification")["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert (env["LOG_LEVEL"], env["OUTBOX_BATCH"]) == ("WARNING", "50")


def env_of(objects: list[Document], component: str) -> dict[str, Document]:
    """The variables of a component's container (the gateway's: of the one that decides), by name."""
    containers = deployment(objects, f"academy-{component}")["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each for each in containers[-1]["env"]}


def test_mail_and_push_are_optional_and_what_is_secret_of_them_stays_in_secrets(render: Render) -> None:
    env = env_of(render("minimal"), "notification")
    for name in ("SMTP_URL", "VAPID_PRIVATE_KEY"):
        assert env[name]["valueFrom"]["secretKeyRef"]["optional"] is True
    assert env["SMTP_FROM"]["value"] == "SmartCourse <no-reply@smartcourse.example>"
    assert env["VAPID_SUBJECT"]["value"] == "mailto:admin@smartcourse.example"


def test_links_begin_with_the_public_address(render: Render) -> None:
    for component in ("course", "notification"):
        assert env_of(render("minimal"), component)["PUBLIC_URL"]["value"] == "http://localhost:8080"
        assert env_of(render("kafka"), component)["PUBLIC_URL"]["value"] == "https://academy.example"


def test_each_service_is_told_the_broker_and_kafkas_address_only_where_it_is_used(render: Render) -> None:
    for component in ("user", "course", "notification"):
        env = env_of(render("minimal"), component)
        assert env["EVENTS_BROKER"]["value"] == "redis"
        assert not [name for name in env if name.startswith("KAFKA_")]
        env = env_of(render("kafka"), component)
        assert env["EVENTS_BROKER"]["value"] == "kafka"
        optional = {name: each["valueFrom"]["secretKeyRef"].get("optional", False)
                    for name, each in env.items() if name.startswith("KAFKA_") and "valueFrom" in each}  # fmt: skip
        assert optional == {
            "KAFKA_BOOTSTRAP_SERVERS": False, "KAFKA_USERNAME": True, "KAFKA_PASSWORD": True, "KAFKA_SECURITY": True,
            "KAFKA_SASL_MECHANISM": True,
        }  # fmt: skip
        assert env["KAFKA_PREFIX"]["value"] == "smartcourse.academy."


def test_kafkas_certificate_is_mounted_where_its_secret_has_one(render: Render) -> None:
    for component in ("user", "course", "notification"):
        pod = deployment(render("kafka"), f"academy-{component}")["spec"]["template"]["spec"]
        [volume] = [each for each in pod["volumes"] if each["name"] == "kafka"]
        assert volume["secret"] == {"secretName": "outside-kafka", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "kafka"]
        file = env_of(render("kafka"), component)["KAFKA_CA_FILE"]["value"]
        assert file == f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}"
        without = render("kafka", "global.events.hasCa=false")
        assert "KAFKA_CA_FILE" not in env_of(without, component)
        assert "secret" not in str(deployment(without, f"academy-{component}")["spec"]["template"]["spec"]["volumes"])


def test_traces_go_to_the_collector_from_every_process_of_ours(render: Render) -> None:
    for component in ("user", "course", "notification", "gateway"):
        endpoint = env_of(render("production"), component)["OTEL_EXPORTER_OTLP_ENDPOINT"]
        assert endpoint["value"] == "http://collector.observability:4318"
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in env_of(render("minimal"), component)


def test_no_secret_is_on_a_command_line(containers: dict[str, Document]) -> None:
    for where, container in containers.items():
        words = " ".join([*container.get("command", []), *container.get("args", [])])
        assert "$(" not in words, f"{where}: expanded by the kubelet"


def test_a_changed_secret_or_configuration_rolls_the_pods_that_read_it(render: Render) -> None:
    def templates(*sets: str) -> dict[str, Document]:
        return {
            each["metadata"]["name"]: each["spec"]["template"]
            for each in render("minimal", *sets)
            if each["kind"] in {"Deployment", "StatefulSet"}
        }

    def changed(*sets: str) -> set[str]:
        before, after = templates(), templates(*sets)
        return {name.removeprefix("academy-") for name in before if before[name] != after[name]}

    assert changed("global.auth.secretHash=aa") == {"user", "course", "notification", "gateway"}
    assert changed("global.databases.postgres.secretHash=aa") == {"user", "course", "notification"}
    assert changed("global.databases.mongodb.secretHash=aa") == {"course"}
    assert changed("global.databases.redis.adminSecretHash=aa") == {"redis"}
    assert changed("global.databases.redis.secretHash=aa") == {"user", "course", "notification", "gateway"}
    assert changed("global.email.secretHash=aa") == changed("global.push.secretHash=aa") == {"notification"}
    assert changed("global.events.secretHash=aa") == {"user", "course", "notification"}
    assert "smartcourse.io/config-checksum" in templates()["academy-redis"]["metadata"]["annotations"]


def gateway_pod(objects: list[Document]) -> tuple[Document, Document, Document]:
    """The gateway's pod, its container that carries the bytes, and the variables of that container with a value."""
    pod = deployment(objects, "academy-gateway")["spec"]["template"]["spec"]
    nginx = pod["containers"][0]
    return pod, nginx, {each["name"]: each.get("value") for each in nginx["env"]}


def service_ports(objects: list[Document]) -> set[int]:
    """The ports of the gateway's Service; each leads to a port that a container has, and is let in."""
    found = {each["kind"]: each for each in objects if each["metadata"]["name"] == "academy-gateway"}
    containers = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    named = {port["name"]: port["containerPort"] for each in containers for port in each["ports"]}
    ports = {each["port"]: named[each["targetPort"]] for each in found["Service"]["spec"]["ports"]}
    admitted = {port["port"] for rule in found["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]}
    assert set(ports.values()) == admitted
    return set(ports)


def test_the_gateway_serves_tls_with_a_mounted_certificate_kept_in_memory(render: Render) -> None:
    objects = render("minimal", "gateway.tlsSecretName=pair")
    pod, nginx, env = gateway_pod(objects)
    mounts = {each["mountPath"]: each["name"] for each in nginx["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes[mounts[env["GATEWAY_TLS_DIR"]]]["secret"]["secretName"] == "pair"
    assert volumes[mounts[env["GATEWAY_TLS_KEPT_DIR"]]]["emptyDir"]["medium"] == "Memory"
    others = {each["mountPath"] for each in pod["containers"][1]["volumeMounts"]}
    assert others.isdisjoint({"/etc/smartcourse/tls", "/run/tls"}), "the key is not for the container that decides"
    assert service_ports(objects) == {8000, 8443, 9090}
    without, _, bare = gateway_pod(render("minimal"))
    assert "secret" not in str(without["volumes"])
    assert "GATEWAY_TLS_DIR" not in bare


def test_with_proxy_protocol_probes_have_a_port_of_their_own(render: Render) -> None:
    objects = render("minimal", "gateway.proxyProtocol=true", "gateway.trustedProxies={10.0.0.0/8}")
    _, nginx, env = gateway_pod(objects)
    assert (env["GATEWAY_PROXY_PROTOCOL"], env["TRUSTED_PROXIES"]) == ("true", "10.0.0.0/8")
    [probes] = [each["containerPort"] for each in nginx["ports"] if each["name"] == "probes"]
    assert str(probes) == env["GATEWAY_PROBE_LISTEN"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert nginx[probe]["httpGet"]["port"] == "probes"
    assert service_ports(objects) == {8000, probes, 9090}
    assert gateway_pod(render("minimal"))[1]["livenessProbe"]["httpGet"]["port"] == "http"
    assert service_ports(render("minimal")) == {8000, 9090}


def test_origins_limits_and_maintenance_reach_the_containers_that_heed_them(render: Render) -> None:
    sets = ["gateway.corsOrigins={https://a.example,https://b.example}", "gateway.limits.heavyPerMinute=5"]
    objects = render("minimal", *sets, "gateway.maintenance=true")
    assert gateway_pod(objects)[2]["CORS_ORIGINS"] == "https://a.example,https://b.example"
    decide = env_of(objects, "gateway")
    limits = {name: each["value"] for name, each in decide.items() if name.startswith("RATE_LIMIT_")}
    expected = {"DEFAULT": "600", "PUBLIC": "600", "LOGIN": "120", "HEAVY": "5"}
    assert limits == {f"RATE_LIMIT_{name}_PER_MINUTE": value for name, value in expected.items()}
    assert decide["MAINTENANCE"]["value"] == "reads"
    assert env_of(render("minimal"), "gateway")["MAINTENANCE"]["value"] == "off"
