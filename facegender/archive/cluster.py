"""Starting Ray, silencing it, and stopping it afterwards."""

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
"""Maximum number of blocks: Ray plans all in memory, so long lists put several shards in one."""
STORE_BYTES: Final = 96 << 20
"""Ray's shared memory on one machine, in bytes: only the model and results of shards use it."""
_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage statistics
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_prestart_worker_first_driver": "0",  # processes that are not needed
    "RAY_raylet_start_wait_time_s": "180",  # the default of 30 is too short on a busy machine
    "RAY_agent_register_timeout_ms": "180000",
}


def is_far() -> bool:
    """Return whether workers may run elsewhere: Ray runs already, or `ADDRESS` names a cluster."""
    ray = sys.modules.get("ray")
    runs = ray is not None and bool(ray.is_initialized())
    return runs or os.environ.get(ADDRESS, "local") != "local"


@contextmanager
def started(workers: int | None) -> Iterator[int]:
    """Run Ray during the block, and yield the number of workers.

    A running Ray is used and left running; else `ADDRESS` names the cluster. Without it Ray is
    started on this machine, and stopped with all its processes and files.

    Args:
        workers: number of workers; None means one per core.

    Raises:
        FaceGenderError: Ray is not installed, does not start or cannot be reached.
        Interrupted: a signal arrived while it started.
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
        # Output that Ray's threads have not printed yet would be printed here.
        with native_noise_hidden(), contextlib.redirect_stdout(io.StringIO()):
            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def run(shards: Sequence[Shard], job: ScoringJob, workers: int) -> Iterator[Done]:
    """Yield the result of every shard as it is done, in any order; call it inside `started`.

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
            "Finished shards are kept; run the same command to continue. Every machine "
            "of the cluster needs the same version of facegender[ray].",
        ) from error


def _options(workers: int | None, folder: str | None) -> dict[str, Any]:
    """Return the options of `ray.init`: the address, or how to start on this machine."""
    if workers is None:
        return {"address": os.environ[ADDRESS]}
    return {
        "address": "local",
        # Ray's own tasks need a slot beside the workers, or reading is starved.
        "num_cpus": workers + 1,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_temp_dir": folder,
    }


def _start(ray: Any, options: dict[str, Any]) -> None:
    """Start or connect to Ray, and restore the signal handlers that it replaces."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    far = options["address"] != "local"
    try:
        _knock(options["address"])
        with native_noise_hidden():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except SystemExit:
        raise Interrupted("stopped before anything was scored", "", signal.SIGTERM) from None
    except Exception as error:  # Ray raises this type when a machine is too busy
        where = f"the Ray cluster at {options['address']} cannot be reached"
        hint = f"Check ${ADDRESS}, and that the cluster runs this version of Ray."
        raise FaceGenderError(
            f"{where if far else 'Ray does not start'}: {error}",
            hint if far else "Try --engine plain, which needs no Ray.",
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None:  # not installed by Python
                    signal.signal(number, handler)


def _knock(address: str) -> None:
    """Check that something listens at a cluster's address: Ray itself would retry for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _session_folder() -> str:
    """Return a folder for Ray's sockets and logs; its path must be short, unlike macOS's."""
    short = "/tmp" if os.path.isdir("/tmp") else None
    return tempfile.mkdtemp(prefix="facegender-ray-", dir=short)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Ray's messages: its errors are raised as ours."""
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
    """A stream that drops output of Ray's threads, which report lost workers on stdout."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name.startswith("ray"):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
