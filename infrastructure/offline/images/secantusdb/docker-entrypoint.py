"""Start SecantusDB as the official MongoDB image starts mongod: root user from the environment, then authentication.

SecantusDB has no localhost exception, so on an empty volume it is first started on the loopback address without
authentication, given MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD, stopped, and then started for good.
Every later start sets the password again by the same way when it has changed.
"""

# ruff: noqa: INP001 - a stand-alone script, in no package
from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

DATA = Path("/data/db")
PORT = 27017
SET_UP_PORT = 27018
START_TIMEOUT_SECONDS = 60
# Without the first, acknowledged writes are lost on kill -9; without the second the cache grows past 1 GB.
DURABLE_AND_SMALL = ["--sync-on-commit", "--cache-size", os.environ.get("SECANTUS_CACHE_SIZE", "128M")]


def server(*arguments: str) -> list[str]:
    return ["secantusd-py", "--standalone", "--storage-path", str(DATA / "secantus"), *DURABLE_AND_SMALL, *arguments]


def credentials() -> tuple[str, str]:
    """Return user and password; each may be given by a file, as `<NAME>_FILE`."""
    values = []
    for name in ("MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"):
        path = os.environ.get(f"{name}_FILE")
        value = Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, "")
        if not value:
            sys.exit(f"set {name} or {name}_FILE: a server without authentication is not started")
        values.append(value)
    return values[0], values[1]


def wait_until_it_answers(client: MongoClient[dict[str, object]]) -> None:
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            client.admin.command("ping")
        except PyMongoError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def set_root_user(user: str, password: str) -> None:
    with subprocess.Popen(server("--host", "127.0.0.1", "--port", str(SET_UP_PORT))) as process:
        try:
            with MongoClient[dict[str, object]]("127.0.0.1", SET_UP_PORT, serverSelectionTimeoutMS=1000) as client:
                wait_until_it_answers(client)
                known = client.admin.command("usersInfo", user)["users"]
                client.admin.command("updateUser" if known else "createUser", user, pwd=password, roles=["root"])
        finally:
            process.send_signal(signal.SIGTERM)


def main() -> None:
    if sys.argv[1:2] not in ([], ["mongod"]):
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - as the official image does with another command
    user, password = credentials()
    # Salted by the user and slow on purpose: the digest lies beside the data and must not give the password away.
    digest = hashlib.scrypt(password.encode(), salt=user.encode(), n=2**14, r=8, p=1).hex()
    marker = DATA / "root-user"
    if not marker.exists() or marker.read_text(encoding="utf-8") != digest:
        set_root_user(user, password)
        marker.write_text(digest, encoding="utf-8")
    os.environ.pop("MONGO_INITDB_ROOT_PASSWORD", None)
    command = server("--host", "0.0.0.0", "--port", str(PORT), "--auth")  # noqa: S104 - a pod's only address
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
