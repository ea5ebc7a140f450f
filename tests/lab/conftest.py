"""The fixtures of the lab: see labkit/fixtures.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from labkit.fixtures import *  # noqa: E402, F401, F403
from labkit.mesh_fixtures import *  # noqa: E402, F401, F403
