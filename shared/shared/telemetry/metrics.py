"""The listener that serves a process's Prometheus metrics, apart from the service's own port."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server


class MetricsListener:
    """Serves this process's metrics in a thread of its own, on all addresses; port 0 means not at all."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen. Raises OSError, naming the port, if it is taken."""
        if not self.port:
            return
        try:
            self._server, self._thread = start_http_server(self.port, addr="0.0.0.0")  # noqa: S104 - Prometheus is elsewhere
        except OSError as error:
            raise OSError(error.errno, f"metrics port {self.port}: {error.strerror} (set METRICS_PORT)") from error

    def stop(self) -> None:
        """Close the listener."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None
