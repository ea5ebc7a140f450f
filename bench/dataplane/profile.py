"""Where the time of both ends goes, for each packet: `perf` over our programs, its symbols grouped.

Usage: profile.py [--load tcp|flood|light] [--seconds 5]     needs root and perf; see README.md
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "interop")]

from labkit import Lab, iperf3, ping, sweep  # noqa: E402
from measures import LIGHT_PACKETS_PER_SECOND, SmallPackets  # noqa: E402
from tunnels import PRODUCTS  # noqa: E402

TCP_BYTES_A_PACKET = 1368  # of payload: MTU 1420, both headers, time stamps

# The first that fits a symbol counts.
GROUPS = (
    ("ChaCha20", r"ChaChaLanes|::crypt$|::combine$|batch::.*combine"),
    ("Poly1305", r"PolyLanes|Field(26|44)|authenticate"),
    ("the cipher's bookkeeping", r"batch::Chunk|crypto::(seal|open)"),
    ("checksums", r"InternetSum|sum_of_blocks|checksum"),
    ("cutting and joining packets", r"ip::Segmenter|ip::Coalescer|memmove|memcpy"),
    ("WireGuard: sessions, routes, timers", r"trellis::wireguard|trellis::ip|trellis::Prefix|"
                                            r"trellis::IpAddress|AllowedIps"),
    ("our sockets, devices and loop", r"trellis::|boost::|epoll_wait|sendmmsg|recvmmsg|readv|"
                                      r"writev|pthread"),
    ("kernel: copies", r"_copy_(from|to)_iter|copy_user|__check_object_size|skb_copy|"
                       r"__virt_addr_valid|rep_movs"),
    ("kernel: sleeping and waking", r"finish_task_switch|_raw_spin_unlock_irq|schedule|try_to_wake|"
                                    r"irqentry|idle|epoll|ep_|eventpoll|futex|wake"),
    ("kernel: the rest of its network", r"."),
)


def group_of(symbol: str, in_kernel: bool) -> str:
    for name, pattern in GROUPS:
        if name.startswith("kernel") == in_kernel and re.search(pattern, symbol):
            return name
    return "the rest"


def grouped(report: str) -> dict[str, float]:
    """Percent of the time, by group, of what `perf report --sort sym` prints."""
    shares: dict[str, float] = defaultdict(float)
    for line in report.splitlines():
        found = re.match(r"\s*([0-9.]+)%\s+\[([.k])\]\s+(.*\S)", line)
        if found:
            shares[group_of(found[3], found[2] == "k")] += float(found[1])
    return shares


def run_load(tunnel, load: str, seconds: float) -> tuple[float, float]:
    """Packets that arrived, CPU seconds of both ends."""
    if load == "tcp":
        before = tunnel.cpu_seconds()
        result = iperf3(tunnel.a, tunnel.b, tunnel.address, seconds=seconds)
        return (result.bits_per_second * seconds / 8 / TCP_BYTES_A_PACKET,
                tunnel.cpu_seconds() - before)
    packets = SmallPackets(tunnel)
    rate = LIGHT_PACKETS_PER_SECOND if load == "light" else 0
    _, received, used = packets.run(rate, seconds)
    return received, used


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/dataplane/profile.py")
    parser.add_argument("--load", choices=("tcp", "flood", "light"), default="tcp")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    sweep()
    with tempfile.TemporaryDirectory(prefix="trellis-profile-") as name:
        folder = Path(name)
        with Lab(folder / "lab") as lab:
            tunnel = PRODUCTS["trellis"]().start(lab, offload=True)
            ping(tunnel.a, tunnel.address, count=3)
            pids = ",".join(str(device.process.pid) for device in tunnel.devices)
            perf = subprocess.Popen(["perf", "record", "-q", "-o", folder / "data", "-p", pids],
                                    stderr=subprocess.DEVNULL)
            packets, used = run_load(tunnel, options.load, options.seconds)
            perf.terminate()
            perf.wait()
        report = subprocess.run(["perf", "report", "-i", folder / "data", "--stdio", "--sort",
                                 "sym", "--percent-limit", "0"], capture_output=True, text=True,
                                check=True).stdout
    nanoseconds = used / packets * 1e9
    print(f"{options.load}: {packets / options.seconds / 1000:.0f} kpackets/s, "
          f"{nanoseconds:.0f} ns of CPU a packet, both ends\n")
    print("| | share | ns |\n|---|--:|--:|")
    shares = grouped(report)
    for group in (*(name for name, _ in GROUPS), "the rest"):
        print(f"| {group} | {shares[group]:.0f} % | {shares[group] * nanoseconds / 100:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
