#!/usr/bin/env python3
"""Installs from a build into folders of their own: the programs, each of which must run and have its
manual page and unit; and the library, with nothing but which the example is built and run.

Usage: install_test.py BUILD_FOLDER SOURCE_FOLDER
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path


PROGRAMS = {"bin/trellis": 1, "bin/trellis-rosenpass": 1, "sbin/trellisd": 8,
            "sbin/trellis-server": 8, "sbin/trellis-wg": 8}  # with the section of its manual


def check_programs(build: Path) -> list[str]:
    """What is missing."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="trellis-install-") as name:
        prefix = Path(name)
        subprocess.run(["cmake", "--install", build, "--component", "programs", "--prefix",
                        prefix], check=True, stdout=subprocess.DEVNULL)
        for program, section in PROGRAMS.items():
            told = subprocess.run([prefix / program, "--version"], timeout=30,
                                  capture_output=True, text=True)
            if told.returncode != 0:
                wrong.append(f"{program} does not run: {told.stderr}")
            page = prefix / "share/man" / f"man{section}" / f"{Path(program).name}.{section}"
            if not page.exists():
                wrong.append(f"{program} has no manual page")
        for unit in (prefix / "lib/systemd/system").glob("*.service"):
            wrong += [f"{unit.name} starts {word}, which is not installed"
                      for word in re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.M)
                      if not (prefix / Path(word).relative_to("/usr")).exists()]
    return wrong


def check_library(build: Path, source: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="trellis-install-") as name:
        folder = Path(name)
        subprocess.run(["cmake", "--install", build, "--component", "rosenpass", "--prefix",
                        folder / "usr"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "-S", source / "examples", "-B", folder / "build", "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={folder / 'usr'}"],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", folder / "build"], check=True)
        result = subprocess.run([folder / "build" / "embed-rosenpass"], timeout=60,
                                capture_output=True, text=True)
    print(result.stdout, end="")
    if result.returncode != 0 or "the same key" not in result.stdout:
        return 1
    lines = len((source / "examples" / "embed-rosenpass.cc").read_text().splitlines())
    if lines >= 50:
        print(f"the example has {lines} lines, and promises fewer than 50")
        return 1
    return 0


def main() -> int:
    build, source = map(Path, sys.argv[1:3])
    wrong = check_programs(build)
    print("\n".join(wrong))
    return 1 if wrong else check_library(build, source)


if __name__ == "__main__":
    sys.exit(main())
