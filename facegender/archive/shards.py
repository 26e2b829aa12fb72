"""Dividing a list of photos into shards of a fixed size.

A shard is named by its position in the list and a hash of its names, so the same list always gives
the same shards. The names are stored in a *plan*, a file beside the answers from which a worker
reads its part, so the list is never sent through Ray and never has to fit in memory.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

from facegender.archive.sources import Reader
from facegender.archive.store import Folder
from facegender.errors import FaceGenderError, UsageError, schema_hint
from facegender.prediction.answer_parts import ARCHIVE, PART, SUFFIX

SCHEMA: Final = 1
_WORDS: Final = {"fingerprint": "model", "version": "version of facegender"}
SHARD_SIZE: Final = 500
"""Photos per shard: some seconds of work for a core, which is lost with a worker."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Photos that are scored together into one answer file.

    Attributes:
        name: name of the answer file.
        photos: number of photos.
        offset: offset of its names in the plan, in bytes.
        length: length of its names in the plan, in bytes.
    """

    name: str
    photos: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The shards of a list that are to be scored.

    Attributes:
        missing: the shards that have no answers yet.
        photos: number of photos in the list.
        shards: number of shards of the list.
        digest: hash of the whole list.
    """

    missing: tuple[Shard, ...]
    photos: int
    shards: int
    digest: str

    @property
    def photos_missing(self) -> int:
        """The number of photos without an answer."""
        return sum(shard.photos for shard in self.missing)


def make_plan(
    names: Iterable[str], size: int, reader: Reader, there: Container[str], stream: BinaryIO
) -> Plan:
    """Divide a list of photos into shards and write the names of the missing ones.

    Args:
        names: names of photos, in the order in which they are scored.
        size: photos per shard.
        reader: resolves names to full names.
        there: names of the existing answer files.
        stream: the plan is written to it.
    """
    missing: list[Shard] = []
    whole = hashlib.blake2b(digest_size=16)
    photos = offset = number = 0
    for number, part in enumerate(_chunks(names, size), start=1):
        digest = _digest(part, reader)
        whole.update(digest)
        photos += len(part)
        name = f"{PART}{number - 1:08d}-{digest.hex()}{SUFFIX}"
        if name not in there:
            data = zlib.compress(json.dumps(part).encode("ascii"), 1)
            stream.write(data)
            missing.append(Shard(name, len(part), offset, len(data)))
            offset += len(data)
    return Plan(tuple(missing), photos, number, whole.hexdigest())


def names_of(shard: Shard, folder: Folder, plan: str) -> list[str]:
    """Read the names of a shard's photos from the plan."""
    names = json.loads(zlib.decompress(folder.read_at(plan, shard.offset, shard.length)))
    return [str(name) for name in names]


def read_manifest(folder: Folder) -> dict[str, Any] | None:
    """Return the description of the answers in a folder, None if there are none yet.

    Raises:
        UsageError: other files are there.
        FaceGenderError: the manifest is damaged.
    """
    data = folder.read(ARCHIVE)
    if data is None:
        others = [name for name in folder.names() if not name.startswith((".", "_"))]
        if others:
            raise UsageError(
                f"{folder} contains other files, such as {min(others)}",
                "Choose a new or empty folder, or that of an earlier run.",
            )
        return None
    try:
        manifest = json.loads(data)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise FaceGenderError(
            f"{folder}/{ARCHIVE} cannot be understood",
            schema_hint(
                manifest.get("schema") if isinstance(manifest, dict) else None,
                SCHEMA,
                "Choose another folder for the answers.",
            ),
        )
    return manifest


def write_manifest(folder: Folder, manifest: Mapping[str, Any]) -> None:
    """Write the description of the answers in a folder."""
    folder.write(ARCHIVE, (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode())


def refuse_other(folder: Folder, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Check that answers can be added to those of an earlier run.

    Raises:
        UsageError: another model, other options or other photos; the message says which.
    """
    differing = [key for key in ours if theirs.get(key) != ours[key]]
    if not differing:
        return
    key = differing[0]
    if key in ("photos", "shards", "input"):
        raise UsageError(
            f"{folder} holds the answers to other photos: {theirs.get('photos'):,} there, "
            f"{ours['photos']:,} now"
            if theirs.get("photos") != ours["photos"]
            else f"{folder} holds the answers to {ours['photos']:,} other photos",
            "Choose another folder; for additional photos, list only the new ones.",
        )
    raise UsageError(
        f"{folder} holds the answers of a run with another {_WORDS.get(key, key)}: "
        f"{_short(theirs.get(key))} there, {_short(ours[key])} now",
        "Choose another folder, or use the options of that run.",
    )


def _short(value: object) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def _chunks(names: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(names)
    while part := list(islice(iterator, size)):
        yield part


def _digest(part: list[str], reader: Reader) -> bytes:
    text = json.dumps([reader.whole_name(name) for name in part])
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).digest()
