"""A root's shell on a host, with a /run/wireguard and a resolv.conf of the host's own."""

import os
import shlex
import subprocess
from pathlib import Path

from .namespace import Host
from .process import run

# The holder of the mount namespace. A real resolvconf may speak to a service of the machine, so
# where there is one, the host's own takes its place.
HOLD = """
mkdir -p -m 0700 /run/wireguard && mount -t tmpfs -o mode=0700 tmpfs /run/wireguard &&
mount --bind "$0/resolv.conf" /etc/resolv.conf || exit 1
for found in /usr/bin/resolvconf /usr/sbin/resolvconf; do
  [ ! -e "$found" ] || mount --bind "$0/bin/resolvconf" "$(readlink -f "$found")" || exit 1
done
echo held
exec sleep infinity
"""

# As much of resolvconf(8) as wg-quick(8) asks for; its -m and -x are of no matter with one device.
RESOLVCONF = """#!/bin/sh
case $1 in
-a) [ -e "$0.before" ] || cat /etc/resolv.conf >"$0.before"; cat >/etc/resolv.conf ;;
-d) cat "$0.before" >/etc/resolv.conf && rm "$0.before" ;;
*) exit 1 ;;
esac
"""


class Terminal:
    """Commands typed on a host. What devices are called, and what resolv.conf says, matters to this
    host alone, so that every tutorial's words can be used."""

    def __init__(self, host: Host, *programs: Path):
        """`programs` are found by their names, as if they were installed."""
        self.host = host
        self.folder = host.directory / f"{host.name}.terminal"
        commands = self.folder / "bin"
        commands.mkdir(parents=True)
        self.resolv_conf = self.folder / "resolv.conf"
        self.resolv_conf.write_text("nameserver 192.0.2.53\n")
        for program in programs:
            (commands / program.name).symlink_to(program)
        (commands / "resolvconf").write_text(RESOLVCONF)
        (commands / "resolvconf").chmod(0o755)
        self.env = {"PATH": f"{commands}:{os.environ['PATH']}:/usr/sbin:/sbin"}
        holder = host.spawn("sh", "-c", HOLD, str(self.folder), name="terminal")
        holder.wait_for("held", 10)
        self._enter = ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt",
                       f"--net=/proc/{holder.pid}/ns/net", f"--wd={self.folder}"]

    def run(self, command: str, *, timeout: float = 30, check: bool = True,
            env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A command line, by the shell."""
        # A program in the background must not keep our end of a pipe.
        captured = self.folder / "output"
        words = [*self._enter, "sh", "-c", f"{{ {command}\n}} >{shlex.quote(str(captured))} 2>&1"]
        result = run(words, timeout=timeout, check=False, env={**self.env, **(env or {})})
        result.stdout += captured.read_text() if captured.exists() else ""
        if check:
            assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}"
        return result

    def __call__(self, command: str, **options) -> str:
        """What a command line prints, standard error with it."""
        return self.run(command, **options).stdout
