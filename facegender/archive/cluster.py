"""Ray: started, quiet, and gone again afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, TextIO

from facegender.archive.buckets import import_extra
from facegender.archive.shards import Shard
from facegender.archive.worker import Done, ScoringActor, ScoringJob, done_of
from facegender.errors import FaceGenderError, Interrupted
from facegender.runtime.native_output import native_noise_hidden
from facegender.runtime.parallel import cores

ADDRESS: Final = "RAY_ADDRESS"
MAX_BLOCKS: Final = 10_000
"""Ray plans every block ahead and in memory, so long lists put several shards in one."""
STORE_BYTES: Final = 96 << 20
"""Ray's shared memory on one machine: only the model and what became of shards pass through."""
_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anyone
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_prestart_worker_first_driver": "0",  # processes that nobody here would use
    "RAY_raylet_start_wait_time_s": "180",  # the usual 30 are too few on a busy machine
    "RAY_agent_register_timeout_ms": "180000",
}


def is_far() -> bool:
    """Whether workers may run on other machines: Ray runs already, or `ADDRESS` names a cluster."""
    ray = sys.modules.get("ray")
    runs = ray is not None and bool(ray.is_initialized())
    return runs or os.environ.get(ADDRESS, "local") != "local"


@contextmanager
def started(workers: int | None) -> Iterator[int]:
    """Run Ray during the block, and yield how many workers there are to be.

    One that runs already is used and left alone; else `ADDRESS` names the cluster, and without
    it Ray is started on this machine and ended with all its processes and files.

    Args:
        workers: as many as are wanted; None means one a core.

    Raises:
        FaceGenderError: Ray is not installed, does not start or is not reached.
        Interrupted: a signal came while it started.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ray = import_extra("ray")
    import_extra("ray.data")
    if ray.is_initialized():
        with _quiet():
            yield workers or _cpus(ray)
        return
    far = is_far()
    number = None if far else workers or cores()
    folder = None if far else _session_folder()
    try:
        with _quiet():
            _start(ray, _options(number, folder))
            yield number or workers or _cpus(ray)
    finally:
        # What Ray's threads had to tell and did not is told here, by this thread.
        with native_noise_hidden(), contextlib.redirect_stdout(io.StringIO()):
            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def run(shards: Sequence[Shard], job: ScoringJob, workers: int) -> Iterator[Done]:
    """Yield what became of every shard, as it is done, in any order; call it in `started`.

    Raises:
        FaceGenderError: Ray itself failed.
    """
    data = import_extra("ray.data")
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [{"shard": json.dumps(asdict(shard))} for shard in shards]
    answers = data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map_batches(
        ScoringActor,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=data.ActorPoolStrategy(size=min(workers, len(rows))),
        num_cpus=1,
    )
    try:
        for batch in answers.iter_batches(batch_size=None, prefetch_batches=0):
            yield from map(done_of, batch["done"])
    except (Interrupted, KeyboardInterrupt, GeneratorExit, FaceGenderError):
        raise
    except Exception as error:
        last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise FaceGenderError(
            f"Ray failed: {last[0]}",
            "What is finished stays, and the same command goes on. Every machine of a cluster "
            "needs this very facegender[ray].",
        ) from error


def _options(workers: int | None, folder: str | None) -> dict[str, Any]:
    """Where Ray is, or how it is started on this machine for so many workers."""
    if workers is None:
        return {"address": os.environ[ADDRESS]}
    return {
        "address": "local",
        # Ray's own tasks need a place beside the workers, or reading starves.
        "num_cpus": workers + 1,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_temp_dir": folder,
    }


def _start(ray: Any, options: dict[str, Any]) -> None:
    """Start or reach Ray; it must not keep the handlers of signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    far = options["address"] != "local"
    try:
        _knock(options["address"])
        with native_noise_hidden():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except SystemExit:
        raise Interrupted("stopped before anything was scored", "", signal.SIGTERM) from None
    except Exception as error:  # Ray raises that very type when a machine is too busy
        where = f"the Ray cluster at {options['address']} cannot be reached"
        hint = f"Check ${ADDRESS}, and that the cluster runs this version of Ray."
        raise FaceGenderError(
            f"{where if far else 'Ray does not start'}: {error}",
            hint if far else "Try --engine plain, which needs no Ray.",
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None:  # one that Python did not install
                    signal.signal(number, handler)


def _knock(address: str) -> None:
    """See whether anyone is at a cluster's address: Ray itself would ask for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _session_folder() -> str:
    """A folder for Ray's sockets and logs; its path must be short, which those of macOS are not."""
    short = "/tmp" if os.path.isdir("/tmp") else None
    return tempfile.mkdtemp(prefix="facegender-ray-", dir=short)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's remarks from the user: its errors come back as ours."""
    stdout = sys.stdout
    levels = {one: one.level for one in map(logging.getLogger, ("ray", "ray.data"))}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    sys.stdout = _WithoutRay(stdout)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="ray")
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        sys.stdout = stdout
        for logger, level in levels.items():
            logger.setLevel(level)


class _WithoutRay:
    """A stream that drops what Ray's own threads print: it tells of lost workers on stdout."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name.startswith("ray"):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
