#!/usr/bin/env python3
"""Builds packet_answers for AArch64, runs it under QEMU, and compares it with the one of this machine.

Usage: compare.py NATIVE_PROGRAM SOURCE_FOLDER INCLUDE_FOLDER_OF_TL

Exit status 77, with the reason: there is no cross compiler or no QEMU here.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

COMPILER = "aarch64-linux-gnu-g++"
EMULATOR = "qemu-aarch64"
PACKETS = "100000"
SOURCES = [
    "tests/aarch64/packet_answers.cc",
    "src/base/bytes.cc",
    "src/base/hex.cc",
    "src/base/result.cc",
    "src/crypto/packet_batch.cc",
    "src/crypto/packet_key.cc",
    "src/crypto/batch/chunk.cc",
    "src/crypto/batch/kernels_portable.cc",
    "src/crypto/batch/kernels_neon.cc",
]


def build(source: pathlib.Path, tl_include: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Cross-compiles the files one by one. Of this machine's headers, only <tl/...> is seen."""
    (folder / "include").mkdir()
    (folder / "include" / "tl").symlink_to(tl_include / "tl")
    options = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-DTRELLIS_NEON_KERNELS",
               "-I", str(source / "src"), "-isystem", str(folder / "include")]
    objects = []
    for name in SOURCES:
        objects.append(str(folder / (pathlib.Path(name).stem + ".o")))
        subprocess.run([COMPILER, *options, "-c", str(source / name), "-o", objects[-1]],
                       check=True)
    program = folder / "packet_answers"
    subprocess.run([COMPILER, "-static", *objects, "-o", str(program)], check=True)
    return program


def answers(*command: str) -> dict[str, str]:
    """By the name of the kernels."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(output, end="", flush=True)
    return dict(line.split(" ", 1) for line in output.splitlines())


def main() -> int:
    native, source, tl_include = (pathlib.Path(word) for word in sys.argv[1:4])
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            return 77
    with tempfile.TemporaryDirectory() as folder:
        program = build(source, tl_include, pathlib.Path(folder))
        print(f"{os.uname().machine}:", flush=True)
        here = answers(str(native), PACKETS)
        print("aarch64:", flush=True)
        there = answers(EMULATOR, str(program), PACKETS)
    if "neon" not in there:
        print("the program for AArch64 has no NEON kernels")
        return 1
    if len(set(here.values()) | set(there.values())) != 1:
        print("the answers differ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
