"""A Linux kernel and a small root file system, to be started in a virtual machine.

Debian's kernel and a static busybox are downloaded with apt-get and unpacked, never installed, and
kept beside the other peers (peers.py). The tools of WireGuard come from this machine, with their
libraries. `Unavailable` says what is missing.
"""

import os
import re
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import peers
from labkit import MissingProgram, find_tool
from labkit.process import run
from peers import Unavailable

META_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_net", "virtio-rng", "wireguard")
TOOLS = ("wg", "ip", "ping", "sysctl")
WANTED_TOOLS = ("iperf3",)  # tests that need one of these skip without it
SCRIPTS = {  # by their names on the machine
    "init": Path(__file__).with_name("kernel_init.sh"),
    "control.sh": Path(__file__).with_name("kernel_control.sh"),
}
FOLDERS = ("bin", "dev", "etc", "modules", "proc", "run", "sys", "tmp", "tools",
           "var/run")
DOWNLOAD_SECONDS = 300


@dataclass(frozen=True)
class Image:
    """What a virtual machine is started with. `release`: the kernel's, as `uname -r` tells."""

    release: str
    kernel: Path
    root: Path  # an initramfs


def image() -> Image:
    """Downloads and packs it when first asked for."""
    if os.uname().machine != "x86_64":
        raise Unavailable("the kernel in a virtual machine is one for x86_64")
    for tool in ("qemu-system-x86_64", "apt-get", "dpkg-deb", *TOOLS):
        if not _tool(tool):
            raise Unavailable(f"{tool} is not installed")
    folder = peers.cache() / "linux-kernel-amd64"
    if not (folder / "unpacked").exists():
        _fetch(folder)
    release = next((folder / "unpacked/lib/modules").iterdir()).name
    kernel = folder / "unpacked/boot" / f"vmlinuz-{release}"
    with tempfile.TemporaryDirectory(dir=folder) as building:
        packed = Path(building) / "root.cpio"
        packed.write_bytes(_root(folder / "unpacked", release))
        packed.rename(folder / "root.cpio")  # the tools of today, at once in place
    return Image(release, kernel, folder / "root.cpio")


def _fetch(folder: Path) -> None:
    """Unpacks the packages, all or nothing."""
    found = re.search(r"Depends: (linux-image-\S+)", _apt(["apt-cache", "depends", META_PACKAGE]))
    if not found:
        raise Unavailable(f"apt knows no package {META_PACKAGE} (apt-get update)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as building:
        _apt(["apt-get", "download", found[1], "busybox-static"], cwd=building)
        unpacked = Path(building) / "unpacked"
        for package in Path(building).glob("*.deb"):
            run(["dpkg-deb", "-x", str(package), str(unpacked)], timeout=120)
        try:
            unpacked.rename(folder / "unpacked")
        except OSError:
            if not (folder / "unpacked").exists():  # somebody else was faster
                raise


def _apt(argv: list[str], cwd: str | None = None) -> str:
    result = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                            timeout=DOWNLOAD_SECONDS)
    if result.returncode != 0:
        raise Unavailable(f"{' '.join(argv)}: {result.stderr.strip()[-300:]}")
    return result.stdout


def _root(unpacked: Path, release: str) -> bytes:
    """An archive that the kernel unpacks: busybox, the tools with their libraries, modules."""
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.link("dev/stdin", "/proc/self/fd/0")
    archive.link("var/run/wireguard", "/run")
    for name, script in SCRIPTS.items():
        archive.file(name, script.read_bytes())
    archive.file("bin/busybox", (unpacked / "bin/busybox").read_bytes())
    for path in filter(None, map(_tool, (*TOOLS, *WANTED_TOOLS))):
        archive.file(f"tools/{path.name}", path.read_bytes())
        for library in _libraries(path):
            archive.file(library.lstrip("/"), Path(library).read_bytes())
    modules = _modules(unpacked / "lib/modules" / release)
    for module in modules:
        archive.file(f"modules/{module.name}", module.read_bytes())
    archive.file("modules/order", "".join(f"{m.name}\n" for m in modules).encode())
    return archive.packed()


def _tool(name: str) -> Path | None:
    try:
        return Path(find_tool(name))
    except MissingProgram:
        return None


def _libraries(program: Path) -> list[str]:
    """Absolute paths of what a program is linked with, the loader too."""
    return re.findall(r"(/\S+) \(0x", run(["ldd", str(program)]).stdout)


def _modules(folder: Path) -> list[Path]:
    """The modules wanted and what they need, each after what it needs."""
    known = {_module_name(path.name): path for path in folder.rglob("*.ko")}
    ordered: list[Path] = []

    def add(name: str) -> None:
        path = known.get(_module_name(name))
        if path is None or path in ordered:  # built into the kernel
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + path.read_bytes())
        for other in filter(None, depends[1].decode().split(",") if depends else []):
            add(other)
        ordered.append(path)

    for name in MODULES:
        add(name)
    return ordered


def _module_name(name: str) -> str:
    return name.removesuffix(".ko").replace("-", "_")


class Archive:
    """A cpio archive of the form that kernels read ("newc", Linux: initramfs buffer format)."""

    def __init__(self):
        self._parts: list[bytes] = []
        self._names: set[str] = set()

    def folder(self, name: str) -> None:
        self._parents(name)
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes) -> None:
        self._parents(name)
        self._add(name, stat.S_IFREG | 0o755, content)

    def link(self, name: str, target: str) -> None:
        self._parents(name)
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def packed(self) -> bytes:
        self._add("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _parents(self, name: str) -> None:
        for parent in reversed(Path(name).parents[:-1]):
            self._add(str(parent), stat.S_IFDIR | 0o755, b"")

    def _add(self, name: str, mode: int, content: bytes) -> None:
        if name in self._names:
            return
        self._names.add(name)
        encoded = name.encode() + b"\0"
        fields = (len(self._names), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._parts += [_padded(header), _padded(content)]


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
