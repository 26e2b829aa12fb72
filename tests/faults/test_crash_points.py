"""SIGKILL before every single step that a write takes on disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.crash import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_is_left_is_old_or_new_and_the_next_run_clears_up(name, tmp_path):
    # A process of its own: forking is safe only where no TensorFlow and no threads are.
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.crash", name, tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) >= 4, "it took hardly any step"
