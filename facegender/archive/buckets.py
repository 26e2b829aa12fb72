"""Objects in object storage: ``s3://`` and ``gs://``, through Arrow.

Names may come from a list that somebody else wrote, so a bucket is all that a name can choose:
where the store is and who asks are read from the environment, as the stores' own tools do, never
from the name, and protocols in which a name chooses a machine are not spoken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from facegender.errors import FaceGenderError, PhotoError, StoreError, UsageError
from facegender.images.decode import MAX_BYTES

SCHEMES: Final = ("s3", "gs")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+")


def is_remote(name: str) -> bool:
    """Tell whether a name is that of an object in a bucket."""
    scheme, colon, _ = name.partition("://")
    return bool(colon) and scheme in SCHEMES


def locate(name: str) -> tuple[Any, str]:
    """Return the store of an object, as Arrow's file system, and the object's path there.

    Raises:
        UsageError: the name has no bucket.
        StoreError: the store does not answer, or refuses.
        FaceGenderError: Arrow is not installed.
    """
    scheme, _, path = name.partition("://")
    bucket, _, key = path.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{name} names no bucket", f"Write {scheme}://BUCKET/NAME.")
    if "\0" in key:  # Arrow would use the part before it as the name
        raise UsageError("a name in a bucket contains a NUL byte", "")
    return _connected(scheme, bucket), f"{bucket}/{key}".rstrip("/")


def read_object(name: str) -> bytes:
    """Return the bytes of a photo in a bucket.

    Raises:
        PhotoError: the photo is missing, empty or too large.
        StoreError: the store does not answer, or refuses; the photo itself may be fine.
    """
    try:
        with explained(name):
            store, path = locate(name)
            with store.open_input_stream(path) as stream:
                data = bytes(stream.read(MAX_BYTES + 1))
    except FileNotFoundError:
        raise PhotoError("missing", "no such file") from None
    except (UsageError, ValueError) as error:
        raise PhotoError("unreadable", f"cannot be read: {error}") from None
    if not data:
        raise PhotoError("empty", "empty file (0 bytes)")
    if len(data) > MAX_BYTES:
        raise PhotoError("too large", f"too large: more than {MAX_BYTES:,} bytes")
    return data


def is_object(name: str) -> bool:
    """Return whether an object with exactly this name exists; a prefix does not count.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    with explained(name):
        store, path = locate(name)
        return bool(store.get_file_info(path).is_file)


def list_objects(name: str, *, recursive: bool, wanted: Callable[[str], bool]) -> list[str]:
    """Return the names of the objects below a prefix, sorted.

    Args:
        name: ``s3://bucket/prefix``.
        recursive: include the folders inside it.
        wanted: returns whether a base name is included.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    fs = import_extra("pyarrow.fs")
    with explained(name):
        store, path = locate(name)
        infos = store.get_file_info(
            fs.FileSelector(path, recursive=recursive, allow_not_found=True)
        )
    scheme = name.partition("://")[0]
    return sorted(f"{scheme}://{i.path}" for i in infos if i.is_file and wanted(i.base_name))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Raise `StoreError` for the errors of a store; a missing object is passed on as such."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(
            f"{name} cannot be reached: {' '.join(str(error).split())}",
            "Check the address, the network and the access; then run it again.",
        ) from error


def import_extra(module: str) -> Any:
    """Import a module of the extra ``ray``.

    Raises:
        FaceGenderError: it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise FaceGenderError(
            f"--engine ray needs {module.partition('.')[0]}, which cannot be imported: {error}",
            "Install it with: pip install 'facegender[ray]'",
        ) from None


@lru_cache
def _connected(scheme: str, bucket: str) -> Any:
    fs = import_extra("pyarrow.fs")
    with explained(f"{scheme}://{bucket}"):
        return fs.FileSystem.from_uri(f"{scheme}://{bucket}")[0]
