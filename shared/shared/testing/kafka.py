"""Apache Kafka from its Maven artefacts: one node, which is its own controller."""

import fcntl
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from shared.testing.processes import ServerError, free_port, program
from shared.testing.server import Server

VERSION = "4.1.0"
LOGGING_VERSION = "2.24.3"
USER = "smartcourse"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.smartcourse</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOGGING_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""
_API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class KafkaServer(Server):
    """A running broker. What it acknowledged survives ``kill``; topics are made only by who asks for them.

    ``servers`` is its address without TLS or password. ``secure_servers`` asks for both: ``USER`` and ``password``
    (PLAIN), under the certificate in ``ca_file``.
    """

    name = "kafka"

    def __init__(self) -> None:
        self.password = secrets.token_hex(16)
        self._secure_port, self._controller_port = free_port(), free_port()
        self._classpath = f"{jars()}/*"
        super().__init__()

    @property
    def servers(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def secure_servers(self) -> str:
        return f"{self.host}:{self._secure_port}"

    @property
    def ca_file(self) -> Path:
        return self._folder / "certificate.pem"

    def _set_up(self) -> None:
        self._make_certificate()
        properties = self._folder / "server.properties"
        properties.touch(0o600)
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        cluster = secrets.token_urlsafe(16)
        _run(self._java("kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties)))
        self.start()

    def _command(self) -> Sequence[str]:
        return self._java("kafka.Kafka", str(self._folder / "server.properties"))

    def _java(self, *arguments: str) -> list[str]:
        java = program("java", package="openjdk-17-jre-headless")
        # It lives for a test session: a smaller heap, and no time spent on optimising what soon ends.
        return [java, "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._classpath,
                *arguments]  # fmt: skip

    def _properties(self) -> dict[str, str]:
        plain, secure = f"PLAINTEXT://{self.servers}", f"SECURE://{self.secure_servers}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self.host}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{plain},{secure},CONTROLLER://{self.host}:{self._controller_port}",
            "advertised.listeners": f"{plain},{secure}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": f'{login} required user_{USER}="{self.password}";',
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": str(self._folder / "keystore.pem"),
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            # Of one node's cluster, and for members that a test lets die.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
        }

    def _make_certificate(self) -> None:
        from cryptography import x509  # only tests that run Kafka need it
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        begin = datetime.now(UTC)
        end = begin + timedelta(days=1)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kafka for tests")])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(self.host))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
        keystore = self._folder / "keystore.pem"
        keystore.touch(0o600)
        pkcs8 = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        keystore.write_bytes(key.private_bytes(serialization.Encoding.PEM, *pkcs8) + certificate)
        self.ca_file.write_bytes(certificate)

    def _answers(self) -> bool:
        """It is asked what it speaks: its port is open before it works."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(_API_VERSIONS_REQUEST)
                return len(connection.recv(64)) > 0
        except OSError:
            return False


def jars() -> Path:
    """The folder with Kafka's jars; Maven fetches them when they are missing, once for all checkouts."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartcourse" / "kafka"
    target = cache / f"{VERSION}-{LOGGING_VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not target.exists():
            work = cache / ".work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            (work / "pom.xml").write_text(_POM)
            copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
            _run([program("mvn", package="maven"), "--quiet", "--batch-mode", "--file", str(work / "pom.xml"), *copy])
            (work / "jars").rename(target)
    return target


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, text=True, capture_output=True)  # noqa: S603 - Kafka's own tools
    if done.returncode:
        raise ServerError(f"{Path(command[0]).name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.stdout.write(f"{jars()}\n")
