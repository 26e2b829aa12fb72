import io
import time

import rich.progress
from rich.console import Console

from facegender.cli import _console as console


def test_each_pass_over_the_photos_has_its_own_time_left(monkeypatch):
    """After a quick pass a slow one looked as if it would end at once."""
    bars = []

    class Kept(rich.progress.Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options)
            bars.append(self)

    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(rich.progress, "Progress", Kept)
    monkeypatch.setattr(console, "live", lambda: True)
    monkeypatch.setattr(console, "stderr", lambda: terminal)
    with console.progress("Judging") as update:
        for done in (0, 500, 1000):
            time.sleep(0.11)
            update(done, 1000)
        (task,) = bars[0].tasks
        assert task.finished
        for done in (1, 2, 3):
            time.sleep(0.11)
            update(done, 1000)
        (task,) = bars[0].tasks
        assert (task.completed, task.finished) == (3, False)
        assert task.fields["rate"] in ("4/s", "5/s", "6/s", "7/s", "8/s", "9/s", "10/s")
        assert task.time_remaining > 20
