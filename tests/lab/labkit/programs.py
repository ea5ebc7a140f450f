"""Finds the programs under test, and the tools of the lab."""

import os
import shutil
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PRESETS = ("release", "debug")


class MissingProgram(unittest.SkipTest):
    """A program is not there; the message says what to do. A test that it leaves is skipped."""


def build_folders() -> list[Path]:
    """Where built programs are looked for: $TRELLIS_BUILD if set, else the presets' folders."""
    chosen = os.environ.get("TRELLIS_BUILD")
    roots = [Path(chosen)] if chosen else [REPOSITORY / "build" / name for name in PRESETS]
    return [folder for root in roots for folder in (root / "bin", root)]


def find_program(name: str) -> Path:
    """A program of ours."""
    for folder in build_folders():
        if os.access(folder / name, os.X_OK) and (folder / name).is_file():
            return folder / name
    raise MissingProgram(f"{name} is not built in {build_folders()[0]} "
                         "(build it, or set TRELLIS_BUILD to the folder of the programs)")


def find_tool(name: str) -> str:
    """A program of the system."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise MissingProgram(f"{name} is not installed (scripts/setup installs it)")
    return path
