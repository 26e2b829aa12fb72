"""Reading labels, persons and splits from a tree of folders."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from facegender.dataset.paths import Paths
from facegender.dataset.samples import SPLIT_WORDS, Samples
from facegender.errors import DataError, UsageError
from facegender.images.photo_files import is_hidden, is_photo_file, is_system_folder
from facegender.labels import FEMALE, LABELS, MALE, label_of_word

EXPECTED = (
    "Expected folders named female/ and male/ (or women/ men/, woman/ man/, f/ m/, 女/ 男/), with "
    "photos or one folder a person inside, or train/ val/ test/ folders that hold them. Name "
    "other folders with --female NAME --male NAME, or give labels with --labels FILE."
)

Trail = tuple[tuple[int, int], ...]
"""The parent folders by device and inode: a link to one of them is a loop."""


@dataclass(slots=True)
class _Walk:
    """The results of walking through the tree."""

    female: str | None
    male: str | None
    paths: Paths = field(default_factory=Paths)
    labels: array[int] = field(default_factory=lambda: array("b"))
    persons: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    genders: set[str] = field(default_factory=set)
    outside: int = 0
    others: int = 0
    own: frozenset[str] = frozenset()

    def label_of(self, name: str) -> int | None:
        if self.female is None or self.male is None:
            return label_of_word(name)
        wanted = {self.female.casefold(): FEMALE, self.male.casefold(): MALE}
        return wanted.get(name.casefold())


@dataclass(frozen=True, slots=True)
class Listing:
    """Photos found, unchecked.

    Attributes:
        samples: their rows.
        outside: number of files outside the gender folders.
        others: number of files inside them that are no photos.
        single_faces: each row means the face that its box frames; see `reviewed.read_reviewed`.
    """

    samples: Samples
    outside: int
    others: int = 0
    single_faces: bool = False


def scan_folders(
    root: str,
    *,
    female: str | None = None,
    male: str | None = None,
    own: Iterable[str | os.PathLike[str]] = (),
) -> Listing:
    """Find the gender folders below `root` and list their photos, female first, then by path.

    Gender folders lie at any depth, alone or below train/ val/ test/ folders. A folder inside a
    gender folder is a person; what lies deeper belongs to that person. Which files are photos, and
    which folders are never entered, `images.photo_files` says. Links are followed, loops are not.

    Args:
        root: the folder to look in.
        female: name of the folder of women if it is not one of the usual words; with `male`.
        male: likewise.
        own: files that belong to the command itself, such as its tables: they are not counted.

    Returns:
        every photo found, unchecked, with paths below `root` as given.

    Raises:
        DataError: no folder, no gender folders, one gender only, or no files in them.
        UsageError: only one of `female` and `male`, or both the same.
    """
    if (female is None) != (male is None) or (female is not None and female == male):
        raise UsageError("--female and --male name two different folders", "Give both.")
    if not os.path.isdir(root):
        what = "not a folder" if os.path.lexists(root) else "no such folder"
        raise DataError(f"{what}: {root}", EXPECTED)
    walk = _Walk(female, male, own=frozenset(map(os.path.realpath, own)))
    _search(walk, root, "", ())
    if not walk.genders:
        raise DataError(f"no gender folders in {root}: {_contents(root)}", EXPECTED)
    for label in (FEMALE, MALE):
        if label not in walk.labels:
            raise DataError(
                f"no photos of the label {LABELS[label]} in {root}: found the gender folders "
                f"{', '.join(sorted(walk.genders))}",
                EXPECTED,
            )
    given = set(walk.splits)
    if "" in given and len(given) > 1:
        raise DataError(
            f"some gender folders in {root} are below {'/, '.join(sorted(given - {''}))}/ and "
            "some are not",
            "Put every gender folder below train/, val/ or test/, or none.",
        )
    found = Samples(walk.paths, np.array(walk.labels, np.int8), walk.persons, walk.splits)
    # Within a label the walk went by path.
    ordered = found.take(np.argsort(found.labels, kind="stable"))
    return Listing(ordered, walk.outside, others=walk.others)


def _search(walk: _Walk, folder: str, split: str, trail: Trail) -> None:
    """Look for gender folders in `folder` and below it."""
    entries, trail = _entries(folder, trail)
    for entry in entries:
        if not entry.endswith(os.sep):
            walk.outside += os.path.realpath(os.path.join(folder, entry)) not in walk.own
            continue
        name = entry.removesuffix(os.sep)
        path, label = os.path.join(folder, name), walk.label_of(name)
        if label is None:
            _search(walk, path, SPLIT_WORDS.get(name.casefold(), split), trail)
        else:
            walk.genders.add(f"{name}/")
            _gather(walk, path, label, "", split, trail)


def _gather(walk: _Walk, folder: str, label: int, person: str, split: str, trail: Trail) -> None:
    """List the files of a gender folder or of a person's."""
    entries, trail = _entries(folder, trail)
    folders = [entry[: -len(os.sep)] for entry in entries if entry.endswith(os.sep)]
    splits = not person and bool(folders) and all(f.casefold() in SPLIT_WORDS for f in folders)
    for entry in entries:
        name = entry.removesuffix(os.sep)
        path = os.path.join(folder, name)
        if name == entry:
            if not is_photo_file(path):
                walk.others += os.path.realpath(path) not in walk.own
                continue
            walk.paths.append(path)
            walk.labels.append(label)
            walk.persons.append(person)
            walk.splits.append(split)
        elif splits:
            _gather(walk, path, label, "", SPLIT_WORDS[name.casefold()], trail)
        else:
            _gather(walk, path, label, person or name, split, trail)


def _entries(folder: str, trail: Trail) -> tuple[list[str], Trail]:
    """Names in a folder without what is passed over (none in a loop), and the trail to it.

    Names of folders end in a separator, which also sorts them so that a walk goes by whole path.
    """
    try:
        facts = os.stat(folder)
        here = (facts.st_dev, facts.st_ino)
        if here in trail and facts.st_ino:
            return [], trail
        with os.scandir(folder) as found:
            names = [name for entry in found if (name := _shown(entry))]
    except OSError as error:
        raise DataError(
            f"cannot read the folder {folder}: {error.strerror}", "Check its permissions."
        ) from error
    return sorted(names), (*trail, here)


def _shown(entry: os.DirEntry[str]) -> str:
    """An entry's name, with a separator behind a folder's; "" for what is passed over."""
    if _is_folder(entry):
        return "" if is_system_folder(entry.name) else entry.name + os.sep
    return "" if is_hidden(entry.name) else entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; False for a link to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _contents(root: str) -> str:
    """Describe the contents of a folder in a few words."""
    with os.scandir(root) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    folders = [f"{entry.name}/" for entry in entries if _is_folder(entry)]
    files = len(entries) - len(folders)
    shown = ", ".join(folders[:6]) + (", …" if len(folders) > 6 else "")
    return f"it holds {shown or 'no folders'} and {files:,} file{'' if files == 1 else 's'}"
