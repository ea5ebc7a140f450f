#!/usr/bin/env python3
"""Installs the library from a build into a folder of its own, and builds and runs the example with
nothing but what was installed.

Usage: install_test.py BUILD_FOLDER SOURCE_FOLDER
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    build, source = map(Path, sys.argv[1:3])
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


if __name__ == "__main__":
    sys.exit(main())
