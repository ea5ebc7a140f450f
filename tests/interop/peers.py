"""Foreign implementations, of Rosenpass and of a mesh: fetched and built once, then run as peers.

They are kept in $TRELLIS_PEERS (default ~/.cache/trellis-peers), outside the checkout. What is
missing to build one raises `Unavailable` with the reason; a build that fails otherwise is an error.
"""

import base64
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import Host, Process, wait_until

RUST_VERSION = "0.2.3"
GO_VERSION = "v0.5.42"
GO_SOURCE = Path(__file__).with_name("go-rosenpass")
NETBIRD_VERSION = "0.77.1"
NETBIRD_SOURCE = Path(__file__).with_name("netbird")
NETBIRD_PACKAGES = {"netbird": ("client", "0"), "netbird-server": ("combined", "1")}  # and cgo
BUILD_SECONDS = 1500

PUBLIC_BYTES = 524160
SECRET_BYTES_OLD = 13568  # s || g || control bits: Rust 0.1 and 0.2
SECRET_BYTES_NEW = 13608  # seed || pivots || g || control bits || s: Go, libmceliece
PIVOTS = b"\xff\xff\xff\xff\0\0\0\0"
REJECTION_BYTES = 576  # s, the secret string of implicit rejection

NO_REGISTRY = re.compile(r"could not resolve|failed to download|network|dial tcp|no such host|"
                         r"connection refused|timed out|unable to update registry|i/o timeout|"
                         r"module lookup disabled", re.IGNORECASE)


class Unavailable(Exception):
    """A peer cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Keys:
    """Key files of one party, raw bytes."""

    public: Path
    secret: Path


class RunningPeer:
    """A peer at work. `key_out` holds its latest output key."""

    def __init__(self, process: Process, key_out: Path, line: str = r" exchanged$"):
        self.process = process
        self.key_out = key_out
        self._line = re.compile(line, re.MULTILINE)

    def exchanges(self) -> int:
        """Completed exchanges that it announced."""
        return len(self._line.findall(self.process.output()))

    def wait_exchanged(self, count: int = 1, timeout: float = 20) -> None:
        """Waits until it has announced `count` exchanges."""
        self.process.wait_for(lambda: self.exchanges() >= count, timeout)

    def osk(self) -> bytes:
        """The latest output key."""
        text = self.key_out.read_bytes()
        if len(text) != 44:
            raise AssertionError(f"{self.key_out}: {len(text)} bytes, not 44 of base64")
        return base64.b64decode(text, validate=True)

    def stop(self) -> None:
        self.process.stop()


class RustRosenpass:
    """`rosenpass`, a crate of Rust."""

    name = f"rust-rosenpass-{RUST_VERSION}"
    secret_bytes = SECRET_BYTES_OLD

    def __init__(self):
        self.program = _rust_program()

    def gen_keys(self, directory: Path) -> Keys:
        keys = _key_files(directory)
        _run([self.program, "gen-keys", "-p", keys.public, "-s", keys.secret])
        return keys

    def run(self, directory: Path, own: Keys, peer_public: Path, listen: str, *,
            endpoint: str | None = None, psk: Path | None = None, host: Host | None = None,
            wireguard: dict | None = None) -> RunningPeer:
        """Initiates when it has an endpoint, else waits. By a file: with the words of the command
        line 0.2.3 takes either an endpoint or a preshared key, not both. `wireguard`: device, peer
        and extra words for `wg set`."""
        key_out = directory / "osk"
        config = [f'public_key = "{own.public}"', f'secret_key = "{own.secret}"',
                  f'listen = ["{listen}"]', 'verbosity = "Verbose"', "[[peers]]",
                  f'public_key = "{peer_public}"', f'key_out = "{key_out}"']
        if endpoint:
            config.append(f'endpoint = "{endpoint}"')
        if psk:
            config.append(f'pre_shared_key = "{psk}"')
        if wireguard:
            config += [f'device = "{wireguard["device"]}"', f'peer = "{wireguard["peer"]}"',
                       f'extra_params = {json.dumps(wireguard["extra"])}']
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "rosenpass.toml"
        file.write_text("\n".join(config) + "\n")
        process = start([self.program, "exchange-config", file], directory, host)
        return RunningPeer(process, key_out)


class TrellisRosenpass(RustRosenpass):
    """`trellis-rosenpass`, in the place of `rosenpass`."""

    name = "trellis-rosenpass"

    def __init__(self, program: Path):
        self.program = program


class GoRosenpass:
    """go-rosenpass, run by the small program beside this file."""

    name = f"go-rosenpass-{GO_VERSION}"
    secret_bytes = SECRET_BYTES_NEW

    def __init__(self):
        self.program = _go_program()

    def gen_keys(self, directory: Path) -> Keys:
        keys = _key_files(directory)
        _run([self.program, "gen-keys", keys.public, keys.secret])
        return keys

    def run(self, directory: Path, own: Keys, peer_public: Path, listen: str, *,
            endpoint: str | None = None, psk: Path | None = None, host: Host | None = None,
            rekey_after: str | None = None, wireguard: dict | None = None) -> RunningPeer:
        """Initiates when it has an endpoint, else waits. `rekey_after`: a duration such as "2s".
        `wireguard`: as Rust's; it can do no such thing by itself, a command does."""
        key_out = directory / "osk"
        argv = pair_arguments(own, peer_public, listen, endpoint, key_out, psk)
        if rekey_after:
            argv += ["--rekey-after", rekey_after]
        if wireguard:
            argv += ["--", "wg", "set", wireguard["device"], "peer", wireguard["peer"],
                     "preshared-key", str(key_out), *wireguard["extra"]]
        return RunningPeer(start([self.program, "exchange", *argv], directory, host), key_out)


class OurRosenpass:
    """Our engine, run by the test program `rosenpass-probe`.

    It prints `exchanged OSK` (base64) for each key that is proven to be the peer's too.
    """

    name = "rosenpass-probe"

    def __init__(self, program: Path):
        self.program = program

    def takes_psk(self) -> bool:
        help_text = subprocess.run([self.program, "--help"], capture_output=True, text=True)
        return "--psk" in help_text.stdout + help_text.stderr

    def run(self, directory: Path, own: Keys, peer_public: Path, listen: str, *,
            endpoint: str | None = None, psk: Path | None = None, host: Host | None = None,
            kind: str | None = None) -> "OurRunningPeer":
        """Initiates when it has an endpoint, else waits. `kind`: what the peer is (rust, go): it
        decides whose exchange goes on where two collide."""
        key_out = directory / "osk"
        argv = pair_arguments(own, peer_public, listen, endpoint, key_out, psk)
        if kind:
            argv += ["--kind", kind]
        process = start([self.program, *argv], directory, host)
        return OurRunningPeer(process, key_out, r"^exchanged [A-Za-z0-9+/]{43}=$")


class OurRunningPeer(RunningPeer):
    def printed_osks(self) -> list[bytes]:
        """Every key that it announced, in order."""
        return [base64.b64decode(line.split()[1], validate=True)
                for line in self._line.findall(self.process.output())]


def pair_arguments(own: Keys, peer_public: Path, listen: str, endpoint: str | None, key_out: Path,
                   psk: Path | None) -> list[str]:
    """The command line that rosenpass-probe and our go-rosenpass program share."""
    argv = ["--own-secret", own.secret, "--own-public", own.public, "--peer-public", peer_public,
            "--listen", listen, "--key-out", key_out]
    if endpoint:
        argv += ["--endpoint", endpoint]
    if psk:
        argv += ["--psk", psk]
    return [str(a) for a in argv]


def wait_common_key(a: RunningPeer, b: RunningPeer, timeout: float = 10) -> bytes:
    """Waits until both have written the same key: one of two ends is always told first."""
    def common() -> bytes | None:
        if not (a.key_out.exists() and b.key_out.exists()):
            return None
        first, second = a.key_out.read_bytes(), b.key_out.read_bytes()
        return a.osk() if first == second and len(first) == 44 else None

    return wait_until(common, timeout, "the same key on both ends")


def free_endpoint(host: str = "127.0.0.1") -> str:
    """A UDP address and port of loopback that nobody uses."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def to_old_secret(secret: bytes) -> bytes:
    """13608 bytes to the 13568 that Rust 0.2.3 reads: seed and pivots dropped, s in front."""
    if len(secret) != SECRET_BYTES_NEW:
        raise ValueError(f"{len(secret)} bytes, want {SECRET_BYTES_NEW}")
    return secret[-REJECTION_BYTES:] + secret[40:-REJECTION_BYTES]


def to_new_secret(secret: bytes) -> bytes:
    """13568 bytes to the 13608 that Go reads. The seed is lost: zeros stand in for it."""
    if len(secret) != SECRET_BYTES_OLD:
        raise ValueError(f"{len(secret)} bytes, want {SECRET_BYTES_OLD}")
    return bytes(32) + PIVOTS + secret[REJECTION_BYTES:] + secret[:REJECTION_BYTES]


def converted(keys: Keys, directory: Path, secret_bytes: int) -> Keys:
    """The same key pair with its secret key in the form of that size."""
    secret = keys.secret.read_bytes()
    if len(secret) == secret_bytes:
        return keys
    convert = to_old_secret if secret_bytes == SECRET_BYTES_OLD else to_new_secret
    made = _key_files(directory)
    made.public.write_bytes(keys.public.read_bytes())
    made.secret.touch(mode=0o600)
    made.secret.write_bytes(convert(secret))
    return made


def cache() -> Path:
    return Path(os.environ.get("TRELLIS_PEERS") or Path.home() / ".cache" / "trellis-peers")


def _rust_program() -> Path:
    folder = cache() / f"rosenpass-{RUST_VERSION}"
    program = folder / "bin" / "rosenpass"
    with _locked(folder):
        if not program.exists():
            for tool in ("cargo", "cmake"):
                _need(tool)
            if not _has_libclang():
                raise Unavailable("the crate rosenpass needs libclang to be built "
                                  "(apt-get install libclang-dev)")
            building = folder.with_name(folder.name + ".building")
            _build(["cargo", "install", "rosenpass", "--version", RUST_VERSION, "--locked",
                    "--root", building, "--target-dir", building / "target"], cwd=cache())
            shutil.rmtree(building / "target")
            shutil.rmtree(folder, ignore_errors=True)
            building.rename(folder)
    return program


def _go_program() -> Path:
    sources = sorted(file for file in GO_SOURCE.iterdir() if file.suffix in (".go", ".mod", ".sum"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    return go_program(GO_SOURCE, f"go-rosenpass-{GO_VERSION}", f"go-rosenpass-peer-{digest[:12]}")


def go_program(source: Path, folder_name: str, name: str) -> Path:
    """The program of a Go module, built once and kept under that name."""
    folder = cache() / folder_name
    program = folder / name
    with _locked(folder):
        if not program.exists():
            _need("go")
            building = program.with_suffix(".building")
            _build(["go", "build", "-trimpath", "-mod=readonly", "-o", building, "."], cwd=source)
            building.rename(program)
    return program


def netbird_programs() -> dict[str, Path]:
    """Stock NetBird: {"netbird": PATH, "netbird-server": PATH}. Takes some 15 minutes to build."""
    folder = cache() / f"netbird-{NETBIRD_VERSION}"
    with _locked(folder):
        for name, (package, cgo) in NETBIRD_PACKAGES.items():
            if (folder / name).exists():
                continue
            _need("go")
            if cgo == "1":
                _need("gcc")
            building = folder / f"{name}.building"
            _build(["go", "build", "-trimpath", "-mod=readonly", "-ldflags",
                    f"-s -w -X github.com/netbirdio/netbird/version.version={NETBIRD_VERSION}",
                    "-o", building, f"github.com/netbirdio/netbird/{package}"],
                   cwd=NETBIRD_SOURCE, env={"CGO_ENABLED": cgo, "GOTOOLCHAIN": "local"})
            building.rename(folder / name)
    return {name: folder / name for name in NETBIRD_PACKAGES}


def go_install(module: str, version: str, name: str) -> Path:
    """The program of a published Go module, built once and kept under that name and version."""
    folder = cache() / f"{name}-{version}"
    program = folder / name
    with _locked(folder):
        if not program.exists():
            _need("go")
            _build(["go", "install", "-trimpath", f"{module}@{version}"], cwd=folder,
                   env={"GOBIN": str(folder / "building"), "GOTOOLCHAIN": "local"})
            (folder / "building" / Path(module).name).rename(program)
    return program


def cargo_install(crate: str, version: str, name: str) -> Path:
    """The program of that name of a published crate, built once."""
    folder = cache() / f"{crate}-{version}"
    program = folder / "bin" / name
    with _locked(folder):
        if not program.exists():
            _need("cargo")
            building = folder.with_name(folder.name + ".building")
            _build(["cargo", "install", crate, "--version", version, "--locked",
                    "--root", building, "--target-dir", building / "target"], cwd=cache())
            shutil.rmtree(building / "target")
            shutil.rmtree(folder, ignore_errors=True)
            building.rename(folder)
    return program


def _need(tool: str) -> None:
    if not shutil.which(tool):
        raise Unavailable(f"{tool} is not installed")


def _has_libclang() -> bool:
    folders = [os.environ.get("LIBCLANG_PATH", ""), "/usr/lib/llvm-*/lib", "/usr/lib/*-linux-gnu",
               "/usr/lib64", "/usr/lib", "/usr/local/lib"]
    patterns = [f"{folder}/libclang{rest}" for folder in folders if folder
                for rest in (".so", ".so.*", "-[0-9]*.so*")]
    return any(glob.glob(pattern) for pattern in patterns)


@contextmanager
def _locked(folder: Path):
    """Two runs do not build the same peer at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(exist_ok=True)
        yield


def _build(argv: list, cwd: Path, env: dict[str, str] | None = None) -> None:
    result = subprocess.run([str(a) for a in argv], cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            timeout=BUILD_SECONDS, env={**os.environ, **(env or {})})
    if result.returncode == 0:
        return
    tail = "\n".join(result.stdout.splitlines()[-30:])
    if NO_REGISTRY.search(tail):
        raise Unavailable(f"its sources cannot be fetched: {tail.splitlines()[-1]}")
    raise AssertionError(f"{' '.join(map(str, argv))}:\n{tail}")


def _key_files(directory: Path) -> Keys:
    directory.mkdir(parents=True, exist_ok=True)
    return Keys(directory / "pqpk", directory / "pqsk")


def _run(argv: list) -> None:
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: {result.stdout}{result.stderr}")


def start(argv: list, directory: Path, host: Host | None = None) -> Process:
    """On loopback of this machine, or on a host of a lab."""
    directory.mkdir(parents=True, exist_ok=True)
    argv = [str(a) for a in argv]
    return Process(host.wrap(argv) if host else argv, directory / "log", stdout=directory / "out",
                   env={"RUST_LOG": "info"})
