"""Redis as the chart starts it, and its users as the chart's Job sets them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from shared.testing.processes import free_port, program

from .test_start_commands import Render, container

ADMIN = r"""ad"m\in'$x #1"""
FIRST, SECOND, THIRD = r"""fi"r\st'$x #1""", "second", "third"


class Started:
    """The pod's server: what its container runs, with the Secret as it is when the container is started."""

    def __init__(self, render: Render, directory: Path) -> None:
        self.port = free_port()
        self.directory = directory
        [script] = container(render(), "academy-redis", "redis")["args"]
        [mounted] = [each for each in render() if each["metadata"]["name"] == "academy-redis-config"]
        conf = mounted["data"]["redis.conf"].replace("dir /data", f"dir {directory}")
        (directory / "redis.conf").write_text(conf.replace("port 6379", f"port {self.port}"))
        (directory / "users.sh").write_text(mounted["data"]["users.sh"])
        script = script.replace("/etc/redis-config", str(directory))
        self.script = script.replace("/tmp/redis.conf", str(self.configuration))
        self._job = container(render(), "academy-redis-provision", "provision")["command"]
        self.secret = {"REDIS_URL": self.url("", "in-the-url"), "REDIS_PASSWORD": FIRST}
        program("redis-server", package="redis-server")
        self.start()

    @property
    def configuration(self) -> Path:
        return self.directory / "made.conf"

    def url(self, user: str, password: str) -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(["sh", "-ec", self.script], env=self.environment(), stdout=subprocess.DEVNULL)
        client, deadline = self.client("admin", ADMIN), time.monotonic() + 60
        while True:
            try:
                client.ping()
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def crash(self) -> None:
        self.process.kill()
        self.process.wait(60)
        self.start()

    def provision(self, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [word.replace("/etc/redis-config", str(self.directory)) for word in self._job]
        return subprocess.run(
            command, env=self.environment() | environment, capture_output=True, text=True, check=False, timeout=120
        )

    def environment(self) -> dict[str, str]:
        return os.environ | {"REDISCLI_AUTH": ADMIN} | self.secret

    def client(self, user: str, password: str) -> Any:
        return Redis(port=self.port, username=user, password=password, socket_timeout=30, decode_responses=True)

    def accepts(self, user: str, password: str) -> bool:
        try:
            return bool(self.client(user, password).ping())
        except AuthenticationError:
            return False


@pytest.fixture
def redis(render: Render, tmp_path: Path) -> Iterator[Started]:
    started = Started(render, tmp_path)
    try:
        yield started
    finally:
        started.process.terminate()
        assert started.process.wait(60) == 0


def test_it_starts_with_passwords_which_its_arguments_and_its_file_do_not_show(redis: Started) -> None:
    admin = redis.client("admin", ADMIN)
    assert admin.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert admin.config_get("appendonly")["appendonly"] == "yes"
    with pytest.raises(AuthenticationError):
        Redis(port=redis.port, socket_timeout=30).ping()
    proc = Path(f"/proc/{redis.process.pid}")
    assert FIRST not in (proc / "cmdline").read_text()
    assert redis.configuration.stat().st_mode & 0o077 == 0
    written = redis.configuration.read_text()
    assert not [each for each in (FIRST, ADMIN) if each in written]
    assert b"redis-server" in (proc / "cmdline").read_bytes(), "signals must reach the server"


def test_the_services_may_do_all_but_administrate(redis: Started) -> None:
    services = redis.client("default", FIRST)
    assert services.set("key", "value")
    assert services.info("memory")
    services.flushdb()
    for command in ("ACL LIST", "CONFIG GET requirepass", "SHUTDOWN", "MONITOR", "REPLICAOF NO ONE"):
        with pytest.raises(NoPermissionError):
            services.execute_command(*command.split())


@pytest.mark.parametrize("crashes", [False, True])
def test_a_password_moves_to_the_other_user_and_back_and_the_old_one_is_void(redis: Started, *, crashes: bool) -> None:
    steps = (("default", "default_b", FIRST, SECOND), ("default_b", "default", SECOND, THIRD))
    for user, other, old, new in steps:
        session = redis.client(user, old)
        connection = session.client_id()
        assert session.set("kept", user)
        introduced = {**redis.secret, "REDIS_SPARE_PASSWORD": new}
        promoted = {"REDIS_URL": redis.url(other, "x"), "REDIS_PASSWORD": new, "REDIS_SPARE_PASSWORD": old}
        retiring = {key: value for key, value in promoted.items() if key != "REDIS_SPARE_PASSWORD"}
        for redis.secret in (introduced, promoted):
            if crashes:
                redis.crash()  # before the Job has run: it comes back with what the Secret says
            assert crashes or redis.accepts(user, old)
            done = redis.provision()
            assert done.returncode == 0, done.stderr
            assert redis.accepts(user, old)
            assert redis.accepts(other, new)
            assert crashes or session.get("kept") == user, "its connection is not ended"
        redis.secret = retiring
        serving = redis.client(other, new)
        assert serving.get("kept") == user
        done = redis.provision()
        assert done.returncode == 0, done.stderr
        if crashes:
            redis.crash()
        assert not redis.accepts(user, old)
        assert serving.get("kept") == user
        open_ones = {each["id"] for each in redis.client("admin", ADMIN).client_list()}
        assert str(connection) not in open_ones, "what it had open is ended"


def test_running_it_again_changes_nothing(redis: Started) -> None:
    before = redis.client("admin", ADMIN).acl_list()
    for _ in range(2):
        assert redis.provision().returncode == 0
    assert redis.client("admin", ADMIN).acl_list() == before


def test_a_password_that_somebody_wrote_into_the_secret_is_set(redis: Started) -> None:
    redis.secret["REDIS_PASSWORD"] = "written by hand"
    assert redis.provision().returncode == 0
    assert redis.accepts("default", "written by hand")
    assert not redis.accepts("default", FIRST)


@pytest.mark.parametrize("name", ["REDISCLI_AUTH", "REDIS_PASSWORD"])
def test_without_a_password_it_does_not_start(redis: Started, name: str) -> None:
    command = ["sh", "-ec", redis.script]
    environment = redis.environment() | {name: ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert name in done.stderr


def test_what_is_wrong_is_said_and_no_password_with_it(redis: Started) -> None:
    done = redis.provision(REDISCLI_AUTH="wrong", WAIT_SECONDS="0")
    assert done.returncode == 1
    assert "did not let the admin in" in done.stderr
    done = redis.provision(REDIS_URL=redis.url("root", "secret"))
    assert done.returncode == 1
    assert "default and default_b" in done.stderr
    assert "secret" not in done.stderr.replace("rotate-secrets", "")
    redis.process.kill()
    redis.process.wait(60)
    done = redis.provision(WAIT_SECONDS="0")
    assert done.returncode == 1
    assert "it said last: Could not connect" in done.stderr
    redis.start()
