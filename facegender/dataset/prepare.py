"""Preparing a folder of photos: writing faces.csv, faces.json and faces.rejected.csv."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from facegender.choices import SplitMethod
from facegender.dataset.attributes import join_attributes
from facegender.dataset.checks import Conflicts, PhotoChecks, find_conflicts, inspect_all
from facegender.dataset.cropping import crop_all, outside
from facegender.dataset.encodings import UTF8, encoding_of, exists_below
from facegender.dataset.folders import Listing, scan_folders
from facegender.dataset.near_copies import HashTable, hash_all, near_copies, near_pairs
from facegender.dataset.review_labels import parse_box
from facegender.dataset.reviewed import BOX, PHOTO, is_reviewed, read_reviewed
from facegender.dataset.samples import Samples
from facegender.dataset.settings import Preparation, PrepareSettings
from facegender.dataset.sidecar import (
    Sidecar,
    is_as_written,
    is_sidecar,
    sidecar_path,
    write_with_table,
)
from facegender.dataset.splits import (
    choose_method,
    precedence,
    split_by_group,
    split_like_article,
    unite_groups,
)
from facegender.dataset.table import read_table, relative_path, write_rows
from facegender.errors import DataError, UsageError
from facegender.options import check_output_file, check_workers
from facegender.runtime.files import lock, lock_target, make_folder, write_csv_row
from facegender.runtime.write_set import complete


def prepare(
    folder: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    settings: PrepareSettings | None = None,
    *,
    force: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Preparation:
    """Read labels from folders or a file, check every photo, split, and write faces.csv.

    No photo is changed. The sidecar (``faces.json``) and the list of rejected photos
    (``faces.rejected.csv``) are written beside `out`. If it is killed, either the old table and
    sidecar or the new ones remain. A second `prepare` of the same table, or into the same folder of
    crops, is refused while the first one runs.

    Args:
        folder: the tree of photos; with `settings.labels`, the folder its paths are relative to.
        out: the CSV to write.
        settings: see `PrepareSettings`.
        force: overwrite a table that was edited or that `prepare` did not write.
        workers: processes that decode; None means one per core.
        on_progress: called with (photos done, photos in all).

    Raises:
        DataError: a folder or file that cannot be read as labelled photos, or no usable photo.
        UsageError: options that contradict each other.
        FaceGenderError: another `prepare` runs on it, or the files cannot be written.
    """
    folder, out = None if folder is None else Path(folder), Path(out)
    settings = settings or PrepareSettings()
    check_workers(workers)
    _check_place(out)
    with lock_target(out, "prepare"):
        complete(out)
        _check_out(out, settings, force)
        return _prepare(folder, out, settings, workers, on_progress)


def _prepare(
    folder: Path | None,
    out: Path,
    settings: PrepareSettings,
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> Preparation:
    listing = _list_photos(folder, out, settings)
    found = listing.samples
    if settings.crop is not None:
        found = found.take(outside(found.paths, folder, settings.crop))
        if not len(found):
            raise DataError("every photo is in the folder of the crops", "Choose another --crops.")
    roots = [folder] if folder else []
    missing = 0
    if settings.attributes:
        missing = join_attributes(found, Path(settings.attributes), roots)
    choose_method(found, settings.split)  # refuses a split that these photos have no data for
    others = read_table(Path(settings.apart_from)).paths if settings.apart_from else []
    originals = found.paths
    if listing.single_faces:
        where = os.path.abspath(out.parent)
        found.attributes[PHOTO] = [relative_path(path, where) for path in found.paths]
    found, inspections = _inspect(
        found, folder, settings, listing.single_faces, workers, on_progress
    )
    good, samples, kept = inspections.good, found, inspections
    if len(good) < len(found):
        samples, kept = found.take(good), inspections.take(good)
    reasons = Counter(inspections[row].reason for row in inspections.rejected)
    if not len(good):
        raise DataError(f"none of {len(found):,} photos is usable: {_counts(reasons)}", "")
    result = Preparation(
        csv=out,
        rejected_csv=_rejected_path(out),
        samples=samples,
        rejected=reasons,
        sizes=Counter((inspection.width, inspection.height) for inspection in kept),
        outside=listing.outside,
        others=listing.others,
        without_attributes=missing,
        encodings=_encodings(settings, roots),
    )
    hashes = _hashes([*samples.paths, *others], workers, on_progress)
    hashes, theirs = hashes[: len(samples)], hashes[len(samples) :]
    kept = _resolve_conflicts(result, kept, settings, listing.single_faces, hashes, theirs)
    _write(result, originals, inspections, kept, settings)
    return result


def _hashes(
    paths: Sequence[str],
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> HashTable:
    """Hash the usable photos, in order to find those that look the same."""

    def report(done: int) -> None:
        if on_progress is not None:
            on_progress(done, len(paths))

    return hash_all(paths, len(paths), workers=workers, on_progress=report)


def _encodings(settings: PrepareSettings, roots: list[Path]) -> dict[str, str]:
    """Return the encoding of each table that is not in UTF-8."""
    tables = [name for name in (settings.labels, settings.attributes) if name]
    found = {
        name: encoding_of(Path(name), exists_below([Path(name).parent, *roots])) for name in tables
    }
    return {name: encoding for name, encoding in found.items() if encoding != UTF8}


def _inspect(
    found: Samples,
    folder: Path | None,
    settings: PrepareSettings,
    single_faces: bool,
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[Samples, PhotoChecks]:
    """Decode or crop every photo; return the rows (those of crops) and the result for each."""
    if settings.crop is None:
        least = settings.min_size
        return found, inspect_all(
            found.paths, min_size=least, workers=workers, on_progress=on_progress
        )
    place = Path(settings.crop.folder)
    make_folder(place)
    with lock(place, "prepare"):
        inspections, crops = crop_all(
            found.paths,
            folder,
            settings.crop,
            min_size=settings.min_size,
            workers=workers,
            on_progress=on_progress,
            boxes=[parse_box(text) for text in found.attributes[BOX]] if single_faces else None,
        )
    return replace(found, paths=crops), inspections


def _check_place(out: Path) -> None:
    """Refuse a path that cannot be a table, before any work."""
    if not out.name or out.is_dir() or out.suffix in ("", ".json"):
        raise UsageError(
            f"--output {out} is not the name of a table", "For example --output faces.csv."
        )
    check_output_file("--output", out)


def _check_out(out: Path, settings: PrepareSettings, force: bool) -> None:
    """Refuse to overwrite files that `prepare` did not write, before any work."""
    given = (settings.labels, settings.attributes, settings.apart_from)
    inputs = [Path(name) for name in given if name]
    if out.exists() and any(name.exists() and out.samefile(name) for name in inputs):
        raise UsageError(f"--output {out} is one of the inputs", "Choose another --output.")
    if force:
        return
    if sidecar_path(out).exists() and not is_sidecar(sidecar_path(out)):
        raise DataError(
            f"{sidecar_path(out)} exists and was not written by prepare",
            "Choose another --output, or --force to replace it.",
        )
    if out.exists() and not is_as_written(out):
        raise DataError(
            f"{out} was edited since prepare wrote it, or is not prepare's",
            "Choose another --output, or --force to replace it.",
        )


def _list_photos(folder: Path | None, out: Path, settings: PrepareSettings) -> Listing:
    if settings.labels and is_reviewed(Path(settings.labels)):
        if settings.crop is None:
            raise UsageError(
                f"{settings.labels} frames single faces, a photo may have several",
                "Crop them: --crops DIR",
            )
        roots = [folder] if folder else []
        return Listing(read_reviewed(Path(settings.labels), roots).samples, 0, single_faces=True)
    if settings.labels:
        roots = [folder] if folder else []
        return Listing(read_table(Path(settings.labels), roots, _names(settings)), 0)
    if folder is None:
        raise UsageError("no folder given", "Give the folder of photos, or --labels FILE.")
    written = (out, sidecar_path(out), _rejected_path(out))
    own = [name for name in (settings.attributes, *written) if name is not None]
    return scan_folders(os.fspath(folder), female=settings.female, male=settings.male, own=own)


def _rejected_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.rejected.csv")


def _names(settings: PrepareSettings) -> tuple[str, str] | None:
    """Return the labels that mean female and male in a label file, None for the defaults."""
    if settings.female is None and settings.male is None:
        return None
    if settings.female is None or settings.male is None or settings.female == settings.male:
        raise UsageError("--female and --male name two different labels", "Give both.")
    return settings.female, settings.male


def _resolve_conflicts(
    result: Preparation,
    kept: PhotoChecks,
    settings: PrepareSettings,
    single_faces: bool,
    hashes: HashTable,
    theirs: HashTable,
) -> PhotoChecks:
    """Count duplicates and contradictions, drop them if requested, and split the rest."""
    samples = result.samples
    conflicts = _conflicts(samples, kept, single_faces, hashes)
    result.copies = len(conflicts.copies)
    result.content_conflicts = len(conflicts.content)
    result.person_conflicts = len(conflicts.person)
    # Those that look the same include those with the same bytes.
    drop = dict.fromkeys(near_copies(hashes, theirs), "also in the other table")
    if settings.drop_conflicts:
        drop |= dict.fromkeys(conflicts.content.tolist(), "content under both genders")
        drop |= dict.fromkeys(conflicts.person.tolist(), "person under both genders")
    if settings.drop_duplicates:
        drop |= {row: "duplicate" for row in conflicts.copies.tolist() if row not in drop}
    if drop:
        result.dropped = Counter(drop.values())
        rows = np.delete(np.arange(len(samples)), list(drop))
        if not len(rows):
            raise DataError(f"every photo is left out: {_counts(result.dropped)}", "")
        result.samples, kept = samples.take(rows), kept.take(rows)
        conflicts = _conflicts(result.samples, kept, single_faces, hashes[rows])
    result.method = choose_method(result.samples, settings.split)
    _split(result, conflicts, settings)
    return kept


def _conflicts(
    samples: Samples, inspections: PhotoChecks, single_faces: bool, hashes: HashTable
) -> Conflicts:
    together = samples.attributes[PHOTO] if single_faces else None
    order = precedence(samples)
    return find_conflicts(samples, inspections.digests, order, together, near_pairs(hashes))


def _split(result: Preparation, conflicts: Conflicts, settings: PrepareSettings) -> None:
    samples = result.samples
    if result.method == SplitMethod.ARTICLE:
        samples.splits = split_like_article(len(samples))
    elif result.method == SplitMethod.FOLDERS:
        # Near copies stay where the table says: they are named.
        samples.splits, result.moved = unite_groups(samples.splits, conflicts.sure_groups)
    else:
        # "photo" ignores persons, but copies of a photo still stay together.
        groups = conflicts.groups
        if result.method == SplitMethod.PHOTO and any(samples.persons):
            groups = conflicts.content_groups
        share = partial(
            split_by_group,
            samples.labels,
            val=settings.val,
            test=settings.test,
            seed=settings.seed,
        )
        try:
            samples.splits = share(groups)
        except DataError:
            if groups is not conflicts.groups:
                raise
            # A few photos of one session all look alike: then near copies are only named.
            samples.splits = share(conflicts.sure_groups)
    result.near_copies = [
        (samples.paths[one], samples.paths[other])
        for one, other in conflicts.near.tolist()
        if samples.splits[one] != samples.splits[other]
    ]
    first: dict[str, str] = {}
    rows = zip(samples.persons, samples.splits, strict=True)
    torn = {person for person, split in rows if first.setdefault(person, split) != split}
    result.persons_in_two_splits = len(torn - {""})


def _write(
    result: Preparation,
    paths: Sequence[str],
    inspections: PhotoChecks,
    kept: PhotoChecks,
    settings: PrepareSettings,
) -> None:
    folder = os.path.abspath(result.csv.parent)

    def rejects(text: TextIO) -> None:
        write_csv_row(text, ["path", "reason", "message"])
        for row in inspections.rejected:
            path, found = relative_path(paths[row], folder), inspections[row]
            write_csv_row(text, [path, found.reason, found.message])

    write_with_table(
        result.csv,
        partial(write_rows, folder=folder, samples=result.samples),
        Sidecar(
            settings=settings.to_json(),
            crop=None if settings.crop is None else settings.crop.geometry.to_json(),
            sizes=kept.sizes,
            digests=kept.digests,
        ),
        {result.rejected_csv.name: rejects},
    )


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
