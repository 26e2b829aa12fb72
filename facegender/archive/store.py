"""The folder of answers, on a disk or in a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from facegender.archive.buckets import SCHEMES, explained, is_remote, list_objects, locate
from facegender.archive.sources import local_path
from facegender.errors import UsageError
from facegender.runtime.files import atomic_path, write_bytes


class Folder(Protocol):
    """A folder of answers, local or remote. Picklable."""

    def names(self) -> list[str]:
        """Return the names of its files, including hidden ones; empty if there is no folder."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None if it is missing."""

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """Return a part of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically."""

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a new file for incremental writing."""

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on a disk shared by all workers.

    Attributes:
        path: its absolute path.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> list[str]:
        """See `Folder`."""
        try:
            return os.listdir(self.path)
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes | None:
        """See `Folder`."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """See `Folder`."""
        with (self.path / name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, name: str, data: bytes) -> None:
        """See `Folder`."""
        write_bytes(self.path / name, data)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """See `Folder`."""
        with atomic_path(self.path / name) as temporary, temporary.open("wb") as file:
            yield file

    def remove(self, name: str) -> None:
        """See `Folder`."""
        with suppress(FileNotFoundError):
            (self.path / name).unlink()


@dataclass(frozen=True, slots=True)
class BucketFolder:
    """A prefix in a bucket. An object appears only after its upload is complete.

    Attributes:
        name: its address, such as ``s3://bucket/answers``, without a slash at the end.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    def names(self) -> list[str]:
        """See `Folder`."""
        objects = list_objects(self.name, recursive=False, wanted=lambda _name: True)
        return [name.rpartition("/")[2] for name in objects]

    def read(self, name: str) -> bytes | None:
        """See `Folder`."""
        with explained(self.name), suppress(FileNotFoundError):
            store, path = locate(f"{self.name}/{name}")
            with store.open_input_stream(path) as stream:
                return bytes(stream.read())
        return None

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """See `Folder`."""
        with explained(self.name):
            store, path = locate(f"{self.name}/{name}")
            with store.open_input_file(path) as file:
                return bytes(file.read_at(length, offset))

    def write(self, name: str, data: bytes) -> None:
        """See `Folder`."""
        with self.opened(name) as stream:
            stream.write(data)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """See `Folder`."""
        with explained(self.name):
            store, path = locate(f"{self.name}/{name}")
            with store.open_output_stream(path) as stream:
                yield stream

    def remove(self, name: str) -> None:
        """See `Folder`."""
        with explained(self.name), suppress(FileNotFoundError):
            store, path = locate(f"{self.name}/{name}")
            store.delete_file(path)


def open_folder(where: str | os.PathLike[str]) -> LocalFolder | BucketFolder:
    """Return the folder at a path, a ``file://`` address or a prefix in a bucket.

    A missing folder on a disk is created.

    Raises:
        UsageError: an address of another kind, or a file.
    """
    name = os.fspath(where)
    if is_remote(name):
        locate(name)
        return BucketFolder(name.rstrip("/"))
    path = local_path(name)
    if "://" in path:
        known = ", ".join(f"{scheme}://" for scheme in ("file", *SCHEMES))
        raise UsageError(f"nothing can be written to {name}", f"Give a folder, or {known}.")
    folder = Path(os.path.abspath(path))
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "Give a folder for the answers.")
    folder.mkdir(parents=True, exist_ok=True)
    return LocalFolder(folder)
