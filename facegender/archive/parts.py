"""Writing predictions as a Parquet file with the fields of the JSON contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from facegender.archive.buckets import import_extra
from facegender.labels import LABELS

FACTS: Final = b"facegender"
"""Key of our entry in the metadata of a Parquet file."""


def part_bytes(photos: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> bytes:
    """Return a Parquet file.

    Args:
        photos: elements of the contract's ``photos``.
        facts: stored as JSON in the file's metadata.
    """
    arrow, parquet = import_extra("pyarrow"), import_extra("pyarrow.parquet")
    schema = _schema(arrow).with_metadata({FACTS: json.dumps(facts).encode()})
    table = arrow.Table.from_pylist(list(photos), schema=schema)
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def facts_of(data: bytes) -> dict[str, Any] | None:
    """Return the facts of a file that `part_bytes` wrote, None for any other file."""
    arrow, parquet = import_extra("pyarrow"), import_extra("pyarrow.parquet")
    try:
        metadata = parquet.read_schema(arrow.BufferReader(data)).metadata or {}
        facts = json.loads(metadata[FACTS])
    except (arrow.ArrowException, OSError, KeyError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _schema(arrow: Any) -> Any:
    number, text = arrow.float64(), arrow.string()
    face = arrow.struct(
        [
            ("box", arrow.list_(arrow.int32())),
            ("landmarks", arrow.list_(arrow.list_(number))),
            ("score", number),
            ("roll", number),
            ("label", text),
            ("probabilities", arrow.struct([(name, number) for name in LABELS])),
            ("uncertain", arrow.bool_()),
        ]
    )
    pair = arrow.struct([(name, number) for name in LABELS])
    moment = arrow.struct([("time", number), ("box", arrow.list_(arrow.int32()))])
    track = arrow.struct(
        [
            *((name, number) for name in ("start", "end", "seconds")),
            ("box", arrow.list_(arrow.int32())),
            ("score", number),
            ("label", text),
            ("probabilities", pair),
            ("uncertain", arrow.bool_()),
            ("best", moment),
            ("more", arrow.list_(moment)),
        ]
    )
    times = arrow.struct([(name, number) for name in (*LABELS, "uncertain")])
    return arrow.schema(
        [
            *(("path", text), ("error", text), ("faces", arrow.list_(face))),
            # Of videos, which have no faces; null for photos.
            *(("seconds", number), ("fps", number), ("tracks", arrow.list_(track))),
            ("screen_time", times),
        ]
    )
