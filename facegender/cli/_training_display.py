"""Training as it is seen in a terminal: one bar an epoch, one row when it ends."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from facegender.cli import _console as console

if TYPE_CHECKING:
    from facegender.training.events import Epoch, Event

HEADER = (
    f"{'epoch':>7} {'loss':>8} {'accuracy':>9} {'val loss':>9} {'val acc.':>9} "
    f"{'images/s':>9} {'seconds':>8}"
)


def print_tensorboard(folder: Path) -> None:
    """Say how to look at what was written, and how to install what that needs."""
    install = "" if find_spec("tensorboard") else "pip install 'facegender[tensorboard]' && "
    console.stdout().print(f"Curves:  {console.plain(f'{install}tensorboard --logdir {folder}')}")


class TrainingDisplay:
    """Turns training events into a live display, or into plain lines where it is no terminal.

    Args:
        quiet: show warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = console.stderr()
        self._live = console.live() and not quiet
        self._progress: Any = None
        self._task: Any = None
        self._throttle = console._Throttle()
        self._epochs = 0

    def __enter__(self) -> TrainingDisplay:
        if self._live:
            from rich import progress

            self._progress = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TextColumn("{task.fields[facts]}"),
                progress.TimeRemainingColumn(),
                console=self._console,
                transient=True,
                auto_refresh=False,  # no thread of its own: it is refreshed where it changes
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        from facegender.training import events

        if isinstance(event, events.Warn):
            self._say(f"[yellow]Warning:[/] {console.plain(event.message)}")
        elif self._quiet:
            return
        elif isinstance(event, events.Checking):
            self._advance("Checking photos", event.done, event.total, "")
        elif isinstance(event, events.Reading):
            self._advance("Reading photos", event.done, event.total, "")
        elif isinstance(event, events.Asking):
            self._advance("Asking the teachers", event.done, event.total, "")
        elif isinstance(event, events.Started):
            self._start(event)
        elif isinstance(event, events.Step):
            facts = (
                f"loss {event.loss:.4f}  accuracy {event.accuracy:.4f}  "
                f"{event.images_per_second:,.0f} images/s"
            )
            self._advance(f"Epoch {event.epoch}/{self._epochs}", event.step, event.steps, facts)
        elif isinstance(event, events.Epoch):
            self._row(event)
        elif isinstance(event, events.Finishing):
            self._clear()
            self._say(f"[dim]Training is over ({event.why}); calibrating and checking.[/]")

    def _start(self, event: Any) -> None:
        self._clear()
        self._epochs = event.epochs
        self._say(
            f"[bold]{event.arch}[/]: {event.parameters:,} parameters, {event.train:,} photos to "
            f"train, {event.val:,} to validate ({event.validated_on}), at most {event.epochs} "
            f"epochs of batches of {event.batch_size}, seed {event.seed}, on {event.devices}"
            + (f", going on after epoch {event.epoch}" if event.epoch else "")
        )
        self._say(f"[bold]{HEADER}[/]")

    def _row(self, row: Epoch) -> None:
        self._clear()
        text = (
            f"{row.epoch:>7} {row.loss:>8.4f} {row.accuracy:>9.4f} {row.val_loss:>9.4f} "
            f"{row.val_accuracy:>9.4f} {row.images_per_second:>9,.0f} {row.seconds:>8.1f}"
        )
        self._say(f"[green]{text}  best[/]" if row.best else text)

    def _advance(self, text: str, done: int, total: int, facts: str) -> None:
        if not self._live or not (self._throttle.due() or done == total):
            return
        if self._task is None:
            self._task = self._progress.add_task(text, total=total, facts=facts)
        self._progress.update(
            self._task, description=text, completed=done, total=total, facts=facts
        )
        self._progress.refresh()

    def _clear(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.refresh()
            self._task = None

    def _say(self, markup: str) -> None:
        self._console.print(markup)
