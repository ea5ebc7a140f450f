"""A control socket that answers as a script says: tries `trellis` without an agent."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path


class FakeAgent:
    """Listens on `path`. `answer`: from a request (a dict) to an answer (a dict, or bytes)."""

    def __init__(self, path: Path, answer: Callable[[dict], dict | bytes]):
        self.path = path
        self.requests: list[dict] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def commands(self) -> list[str]:
        return [request["command"] for request in self.requests]

    def asked(self, command: str) -> dict:
        """The first request of that name."""
        return next(request for request in self.requests if request["command"] == command)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                for line in lines:  # `trellis` may also connect only to see whether we are there
                    request = json.loads(line)
                    self.requests.append(request)
                    answer = self._answer(request)
                    if isinstance(answer, dict):
                        answer = json.dumps(answer).encode() + b"\n"
                    connection.sendall(answer)
