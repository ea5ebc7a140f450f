"""gRPC programs that speak echo.Echo (grpc/README.md): ours, grpc++ and grpc-go."""

import hashlib
import subprocess
from pathlib import Path

import labkit
import peers
from labkit import Process

GO_SOURCE = Path(__file__).with_name("grpc") / "go"
SCENARIO_SECONDS = 90


class Server:
    """A running server of a peer."""

    def __init__(self, argv: list, folder: Path):
        self.process = Process(argv, folder / "log", stdout=folder / "out")
        try:
            found = self.process.wait_for(r"listening (\d+)", 10)
        except Exception:
            self.process.stop()
            raise
        self.port = found[1]

    def wait_for(self, line: str, timeout: float = 10):
        return self.process.wait_for(line, timeout)

    def lines(self, beginning: str) -> list[str]:
        return [line for line in self.process.output().splitlines() if line.startswith(beginning)]

    def stop(self) -> None:
        self.process.stop()


class Peer:
    """A program in both roles."""

    def __init__(self, program: Path):
        self.program = program

    def serve_arguments(self, keepalive_ms: int, min_ping_ms: int, piece: int) -> list:
        return ["serve", min_ping_ms]

    def call_arguments(self, port: str, scenario: str, numbers: tuple, keepalive_ms: int,
                       piece: int) -> list:
        return ["call", port, scenario, keepalive_ms, *numbers]

    def serve(self, folder: Path, *, keepalive_ms: int = 0, min_ping_ms: int = 5000,
              piece: int = 65536) -> Server:
        arguments = self.serve_arguments(keepalive_ms, min_ping_ms, piece)
        return Server([self.program, *arguments], folder)

    def start(self, folder: Path, server: Server, scenario: str, *numbers, keepalive_ms: int = 0,
              piece: int = 65536) -> Process:
        """Begins a scenario, which ends by itself."""
        argv = [self.program,
                *self.call_arguments(server.port, scenario, numbers, keepalive_ms, piece)]
        return Process(argv, folder / "log", stdout=folder / "out")

    def call(self, server: Server, scenario: str, *numbers, keepalive_ms: int = 0,
             piece: int = 65536) -> str:
        """Runs a scenario to its end; what it printed begins with "ok" if all was as it should."""
        argv = [self.program,
                *self.call_arguments(server.port, scenario, numbers, keepalive_ms, piece)]
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            return "".join(process.communicate(timeout=SCENARIO_SECONDS))
        except subprocess.TimeoutExpired:
            state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[0]
            process.kill()
            said = "".join(process.communicate())
            raise AssertionError(f"{scenario}: not over after {SCENARIO_SECONDS} s, in state "
                                 f"{state}; said {said!r}; the server said "
                                 f"{server.process.output()[-500:]!r}") from None


class Ours(Peer):
    def __init__(self):
        super().__init__(labkit.find_program("grpc-probe"))

    def serve_arguments(self, keepalive_ms, min_ping_ms, piece):
        return ["serve", "--keepalive", keepalive_ms, "--piece", piece]

    def call_arguments(self, port, scenario, numbers, keepalive_ms, piece):
        return ["call", port, scenario, *numbers, "--keepalive", keepalive_ms, "--piece", piece]


class Cpp(Peer):
    def __init__(self):
        try:
            program = labkit.find_program("grpc-cpp-peer")
        except labkit.MissingProgram as missing:
            raise peers.Unavailable(f"{missing}; it is built where grpc++ is installed "
                                    "(apt-get install libgrpc++-dev)") from missing
        super().__init__(program)


class Go(Peer):
    def __init__(self):
        sources = sorted(file for file in GO_SOURCE.iterdir()
                         if file.suffix in (".go", ".mod", ".sum"))
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
        super().__init__(peers.go_program(GO_SOURCE, "grpc-go", f"grpc-go-peer-{digest[:12]}"))


PEERS = {"ours": Ours, "cpp": Cpp, "go": Go}
