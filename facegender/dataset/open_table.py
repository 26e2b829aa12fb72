"""Reading a table once, with its sidecar and fingerprint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facegender.dataset.samples import Samples
from facegender.dataset.sidecar import Sidecar, read_crop, read_sidecar
from facegender.dataset.table import read_table
from facegender.dataset.verify import table_fingerprint
from facegender.errors import DataError
from facegender.faces.geometry import Geometry


@dataclass(frozen=True)
class Table:
    """A faces.csv in memory.

    Attributes:
        csv: its path.
        samples: its rows.
        sidecar: what `prepare` wrote beside it; None if there is none or the table was edited
            since.
        crop: the geometry that its photos were cropped to, None for photos as they came. It holds
            for an edited table, too.
    """

    csv: Path
    samples: Samples
    sidecar: Sidecar | None
    crop: dict[str, Any] | None

    @property
    def folder(self) -> Path:
        """The folder to which its paths are relative."""
        return self.csv.parent

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of its rows; see `table_fingerprint`."""
        return table_fingerprint(self.samples, self.folder)

    def is_cropped_to(self, geometry: Geometry) -> bool:
        """Whether its photos are crops of a geometry; False for photos as they came.

        Raises:
            DataError: they are crops of another geometry.
        """
        if self.crop is not None and self.crop != geometry.to_json():
            raise DataError(
                f"the photos of {self.csv} were cropped to {self.crop}, the model takes "
                f"{geometry.to_json()}",
                "Use a table of the original photos.",
            )
        return self.crop is not None


def open_table(csv: str | os.PathLike[str] | Table) -> Table:
    """Read a table and its sidecar; a `Table` is returned as it is.

    Raises:
        DataError: the table or its sidecar is missing, damaged or of another schema.
    """
    if isinstance(csv, Table):
        return csv
    csv = Path(csv)
    # Before the rows: parsing a sidecar takes much memory for a while.
    sidecar = read_sidecar(csv) if csv.exists() else None
    crop = read_crop(csv) if sidecar is None else sidecar.crop
    return Table(csv, read_table(csv), sidecar, crop)
