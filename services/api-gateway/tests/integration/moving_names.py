"""Run nginx's parent with names looked up in a file (NAMES: JSON, name to address), so that a test can move one."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from api_gateway.nginx.__main__ import main

_look_up = socket.getaddrinfo


def _look_up_in_file(host: Any, *arguments: Any, **more: Any) -> Any:
    names = json.loads(Path(os.environ["NAMES"]).read_text())
    if host in names and names[host] is None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")
    return _look_up(names.get(host, host), *arguments, **more)


socket.getaddrinfo = _look_up_in_file
sys.exit(main())
