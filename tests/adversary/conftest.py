"""Fixtures of the adversary's tests: those of the lab."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "lab")]
from labkit.fixtures import *  # noqa: E402, F401, F403
from labkit.mesh_fixtures import *  # noqa: E402, F401, F403
