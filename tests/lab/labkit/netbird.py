"""Stock NetBird in the lab: a combined server, and agents that join it by a setup key."""

import json
import sys
from pathlib import Path

from .namespace import Host
from .process import Process, wait_until

CALL = """
import json, sys, urllib.request
question = json.load(sys.stdin)
request = urllib.request.Request(question["url"], method=question["method"],
                                 data=json.dumps(question["body"]).encode(),
                                 headers={"Content-Type": "application/json"})
if question["token"]:
    request.add_header("Authorization", "Token " + question["token"])
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""

CONFIG = """
server:
  listenAddress: ":8080"
  exposedAddress: "http://{address}:8080"
  healthcheckAddress: ":9000"
  metricsPort: 9090
  logLevel: info
  logFile: console
  authSecret: of-the-lab
  dataDir: "{data}"
  stunPorts: [3478]
  disableAnonymousMetrics: true
  disableGeoliteUpdate: true
  auth:
    issuer: "http://localhost:8080/oauth2"
  store:
    engine: sqlite
"""


class NetBirdServer:
    """netbird-server without TLS, with a reusable setup key."""

    def __init__(self, host: Host, address: str, folder: Path, program: Path):
        self.host = host
        self.url = f"http://{address}:8080"
        self.folder = folder
        self.program = program
        self.process: Process | None = None
        self.setup_key = ""
        self._token = ""
        (folder / "data").mkdir(parents=True)
        (folder / "config.yaml").write_text(CONFIG.format(address=address, data=folder / "data"))

    def start(self) -> None:
        self.process = self.host.spawn(
            str(self.program), "--config", str(self.folder / "config.yaml"), name="netbird-server",
            env={"NB_DISABLE_GEOLOCATION": "true", "NB_SETUP_PAT_ENABLED": "true",
                 "HOME": str(self.folder)})
        self.process.wait_for(lambda: self._call("GET", "/api/instance", check=False), 60)
        self._token = token = self._call("POST", "/api/setup", {
            "email": "admin@example.org", "password": "Of-the-lab-1", "name": "admin",
            "create_pat": True})["personal_access_token"]
        self.setup_key = self._call("POST", "/api/setup-keys", {
            "name": "lab", "type": "reusable", "expires_in": 86400, "auto_groups": [],
            "usage_limit": 0, "ephemeral": False}, token)["key"]

    def remove(self, name: str) -> None:
        """Forgets the peers of that name."""
        for peer in self._call("GET", "/api/peers", token=self._token):
            if peer["hostname"] == name:
                self._call("DELETE", f"/api/peers/{peer['id']}", token=self._token)

    def _call(self, method: str, path: str, body: dict | None = None, token: str = "",
              check: bool = True):
        question = {"url": self.url + path, "method": method, "body": body, "token": token}
        answer = self.host.run(sys.executable, "-I", "-c", CALL, input=json.dumps(question),
                               check=check)
        return json.loads(answer.stdout) if answer.returncode == 0 else None


class NetBirdAgent:
    """One machine's netbird: its service, and what is typed."""

    ENVIRONMENT = {
        "NB_LAZY_CONN": "off", "NB_DISABLE_SSH_CONFIG": "true", "NB_DISABLE_NAT_MAPPER": "true",
        "NB_RELAY_TRANSPORT": "ws", "NB_DISABLE_METRICS": "true",
    }

    def __init__(self, host: Host, server: NetBirdServer, folder: Path, program: Path, *,
                 rosenpass: bool = False):
        self.host = host
        self.server = server
        self.folder = folder
        self.program = program
        self.rosenpass = rosenpass
        self.process: Process | None = None
        folder.mkdir(parents=True)
        self.key_file = folder / "setup.key"
        self.key_file.write_text(server.setup_key)

    def start(self) -> None:
        """Starts the service and does not wait."""
        self.process = self.host.spawn(
            str(self.program), "service", "run", "--daemon-addr", self._socket, "--log-file",
            "console", "--log-level", "info", name="netbird",
            env={**self.ENVIRONMENT, "NB_STATE_DIR": str(self.folder), "HOME": str(self.folder)})

    def wait_started(self) -> None:
        wait_until((self.folder / "daemon.sock").exists, 10, "netbird's socket")

    def up(self) -> None:
        words = ["--management-url", self.server.url, "--setup-key-file", str(self.key_file),
                 "--hostname", self.host.name, "--interface-name", "nb0", "--disable-dns",
                 "--disable-client-routes", "--disable-server-routes", "--disable-firewall",
                 "--network-monitor=false"]
        self._cli("up", *words, *(["--enable-rosenpass"] if self.rosenpass else []))

    def down(self) -> None:
        self._cli("down")

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def status(self) -> dict:
        return json.loads(self._cli("status", "--json"))

    @property
    def v4(self) -> str:
        """Its address in the network."""
        return self.status()["netbirdIp"].split("/")[0]

    @property
    def _socket(self) -> str:
        return f"unix://{self.folder / 'daemon.sock'}"

    def _cli(self, *words: str) -> str:
        return self.host.run(str(self.program), words[0], "--daemon-addr", self._socket, *words[1:],
                             timeout=60, env={"HOME": str(self.folder)}).stdout
