"""Finding the photos named on the command line."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from facegender.cli._patterns import is_pattern, matching_files
from facegender.cli._stdin_names import StdinNames
from facegender.dataset.cropping import mirrored
from facegender.errors import PhotoError, UsageError
from facegender.faces.extraction import Source
from facegender.images.decode import MAX_BYTES, suffix_of
from facegender.images.download import DownloadLimits, fetch, is_url
from facegender.images.footage import is_video_name
from facegender.images.photo_files import SUFFIXES, is_hidden, is_photo_file, is_system_folder


@dataclass(frozen=True, slots=True)
class Named:
    """A photo to predict.

    Attributes:
        name: its displayed name: a path, an address, or ``stdin``.
        source: the path or bytes to read.
        place: its path in a mirrored folder structure.
    """

    name: str
    source: Source
    place: PurePath


@dataclass(frozen=True, slots=True)
class Inputs:
    """How arguments are interpreted.

    Attributes:
        recursive: take folders inside folders too.
        nul: names on stdin end in NUL bytes instead of newlines.
        stdin_image: stdin is one image's bytes.
        limits: of downloads; None refuses addresses.
        skip: folders that are written to, and hence not read.
        listed: the names on stdin.
        fetch: download addresses; False only names them, for another process to fetch.
        videos: take videos from folders too.
        on_video: told of a video in a folder that is not taken.
    """

    recursive: bool = False
    nul: bool = False
    stdin_image: bool = False
    limits: DownloadLimits | None = None
    skip: tuple[Path, ...] = ()
    listed: StdinNames = field(default_factory=StdinNames)
    fetch: bool = True
    videos: bool = False
    on_video: Callable[[], None] | None = None


def inputs_of(
    recursive: bool,
    nul: bool,
    stdin_image: bool,
    limits: DownloadLimits | None,
    skip: tuple[Path, ...],
    *,
    fetch: bool,
) -> Inputs:
    """Return how the arguments of `predict` are interpreted; videos where they can be read."""
    from facegender.cli._video import warn_once
    from facegender.images.video import installed

    videos = installed()
    return Inputs(
        recursive=recursive,
        nul=nul,
        stdin_image=stdin_image,
        limits=limits,
        skip=skip,
        fetch=fetch,
        videos=videos,
        on_video=None if videos else warn_once(),
    )


OnEmpty = Callable[[str, str], None]
"""Told of a folder or pattern without photos, and why."""


def expand(arguments: Iterable[str], how: Inputs, on_empty: OnEmpty) -> Iterator[Named]:
    """Yield the photos of files, folders, globs, addresses, and ``-`` for a list on stdin.

    Args:
        arguments: as given; none means ``-`` when NUL-ended names are asked for.
        how: see `Inputs`.
        on_empty: see `OnEmpty`.

    Raises:
        UsageError: nothing named, ``-`` twice, or an address that is not allowed.
    """
    names = list(arguments)
    if how.stdin_image:
        if "-" in names or how.nul:
            raise UsageError("--stdin-image takes stdin, and so does the list", "Give one.")
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        yield Named("stdin", data, PurePath(f"stdin{suffix_of(data)}"))
    elif not names and how.nul:
        names = ["-"]
    elif not names:
        raise UsageError("no photo given", "Name photos or folders, or - for a list on stdin.")
    if names.count("-") > 1:
        raise UsageError("- (stdin) is given twice", "Give it once.")
    for name in names:
        if name == "-":
            for listed in how.listed.read(b"\0" if how.nul else b"\n"):
                yield _single(listed, how)
        elif name and Path(name).is_dir():
            if _is_within(name, how.skip):
                if len(names) == 1:
                    raise UsageError(
                        f"{name} is both an input and an output folder", "Choose another folder."
                    )
                continue
            base = name if len(names) == 1 else None
            for path in _in_folder(name, how, on_empty):
                place = os.path.relpath(path, base) if base else path
                yield Named(path, path, mirrored(place))
        elif is_pattern(name) and not os.path.lexists(name) and not is_url(name):
            yield from _matching(name, how, on_empty)
        else:
            yield _single(name, how)


def _single(name: str, how: Inputs) -> Named:
    if not is_url(name) or os.path.lexists(name):
        return Named(name, name, mirrored(name))
    allowed(name, how)
    if how.limits is None or not how.fetch:
        return Named(name, name, PurePath("photo"))
    try:
        data = fetch(name, how.limits)
        return Named(name, data, _place_of(name, data))
    except PhotoError as error:
        return Named(name, error, PurePath("photo"))


def allowed(name: str, how: Inputs) -> str:
    """Return a name as it is.

    Raises:
        UsageError: an address, and addresses are not allowed.
    """
    if how.limits is None and is_url(name) and not os.path.lexists(name):
        raise UsageError(f"{name} is an address", "Add --allow-url to download it.")
    return name


def no_photos(how: Inputs, *, videos: bool) -> str:
    """Say that a folder holds no photos, and no videos where they would be taken."""
    where = "" if how.recursive else "; --recursive searches its subfolders"
    return f"no photos{' or videos' * videos} in this folder{where}"


def _place_of(address: str, data: bytes) -> PurePath:
    """The place of a photo from the web; what differs in the query alone gets another name."""
    parts = urlsplit(address)
    place = mirrored(f"{parts.netloc}/{parts.path.strip('/') or 'photo'}")
    if parts.query:
        digest = hashlib.blake2b(parts.query.encode("utf-8", "replace"), digest_size=4).hexdigest()
        place = place.with_name(f"{place.stem}-{digest}{place.suffix}")
    suffix = suffix_of(data)
    known = place.suffix.lower() in SUFFIXES
    return place if known or not suffix else place.with_name(place.name + suffix)


def _is_within(path: str, folders: tuple[Path, ...]) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _in_folder(folder: str, how: Inputs, on_empty: OnEmpty) -> Iterator[str]:
    found = False
    skipped = {os.path.realpath(path) for path in how.skip}
    seen: set[str] = set()  # linked folders are followed, but none is entered twice

    def unreadable(error: OSError) -> None:
        on_empty(error.filename, f"cannot be read: {error.strerror}")

    def enter(path: str) -> bool:
        real = os.path.realpath(path)
        if real in skipped or real in seen:
            return False
        seen.add(real)
        return True

    enter(folder)
    for place, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        inner = sorted(f for f in folders if not is_system_folder(f)) if how.recursive else []
        folders[:] = [name for name in inner if enter(os.path.join(place, name))]
        for name in sorted(files):
            path = os.path.join(place, name)
            video = is_video_name(name) and not is_hidden(name)
            if is_photo_file(path) or (how.videos and video):
                found = True
                yield path
            elif how.on_video is not None and video:
                how.on_video()
    if not found:
        on_empty(folder, no_photos(how, videos=how.videos))


def _matching(pattern: str, how: Inputs, on_empty: OnEmpty) -> Iterator[Named]:
    files = [path for path in matching_files(pattern) if not _is_within(path, how.skip)]
    photos = [path for path in files if is_photo_file(path) or is_video_name(path)]
    if not files and not any(mark in pattern for mark in "*?"):
        yield _single(pattern, how)  # brackets alone are more often part of a name
    elif not photos:
        brackets = "; [ ] stand for one of the characters in them, [[] for a bracket itself"
        neither = f"matches files, but no photos{' or videos' * how.videos}"
        what = neither if files else "no file matches this pattern"
        on_empty(pattern, what + (brackets if "[" in pattern else ""))
    for path in photos:
        yield Named(path, path, mirrored(path))
