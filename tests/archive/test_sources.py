import os

import numpy as np
import pytest

from facegender.archive.sources import Reader, local_path, names_in_parquet
from facegender.archive.store import LocalFolder, open_folder
from facegender.errors import FaceGenderError, PhotoError, StoreError, UsageError
from facegender.images.download import DownloadLimits


def test_local_names_are_paths_from_the_base():
    reader = Reader(os.path.abspath("base"))
    names = ["a.jpg", "file:///b/c%20d.jpg", os.path.abspath("e.jpg"), "ftp://x/y"]
    expected = ["a.jpg", "/b/c d.jpg", os.path.abspath("e.jpg"), "ftp://x/y"]
    assert list(reader.sources(names)) == [os.path.join(reader.base, name) for name in expected]
    assert local_path("file://other/a.jpg") == "file://other/a.jpg"


def test_addresses_need_leave_and_reach_nothing_private():
    (none,) = Reader("/").sources(["http://127.0.0.1:9/a.jpg"])
    assert "--allow-url" in none.message
    (refused,) = Reader("/", DownloadLimits()).sources(["http://127.0.0.1:9/a.jpg"])
    assert isinstance(refused, PhotoError)
    assert "this machine or its network" in refused.message


def test_photos_in_a_bucket_come_in_order(s3):
    names = [f"{i}.jpg" for i in range(100)]
    s3.objects |= {f"photos/{name}": name.encode() for name in names if name != "7.jpg"}
    s3.objects["photos/8.jpg"] = b""
    found = list(Reader("/").sources([f"s3://photos/{name}" for name in names]))
    for name, source in zip(names, found, strict=True):
        if name in ("7.jpg", "8.jpg"):
            assert isinstance(source, PhotoError)
        else:
            assert source == name.encode()
    assert [found[7].reason, found[8].reason] == ["missing", "empty"]


def test_a_store_that_refuses_says_nothing_of_the_photo(s3):
    s3.objects["photos/a.jpg"] = b"x"
    s3.refused.add("photos/b.jpg")
    with pytest.raises(StoreError, match="ACCESS_DENIED"):
        list(Reader("/").sources(["s3://photos/a.jpg", "s3://photos/b.jpg"]))


@pytest.mark.parametrize(
    "name",
    [
        "s3://photos/a.jpg?endpoint_override=127.0.0.1:9&scheme=http",
        "s3://key:secret@photos/a.jpg",
        "s3://127.0.0.1:9/a.jpg",
        "s3:///a.jpg",
        "gs://",
        "s3://photos//a.jpg",
        "s3://photos/\udcff.jpg",
        "s3://photos/a.jpg\0",
    ],
)
def test_a_name_chooses_nothing_but_an_object(s3, name):
    s3.objects["photos/a.jpg"] = b"x"
    (answer,) = Reader("/").sources([name])
    assert isinstance(answer, PhotoError)
    assert answer.reason in ("missing", "unreadable")


def test_a_folder_in_a_bucket(s3):
    folder = open_folder("s3://photos/out/")
    assert str(folder) == "s3://photos/out"
    assert folder.names() == []
    assert folder.read("a") is None
    folder.write("a", b"hello")
    with folder.opened("b") as stream:
        for part in np.arange(12 << 20, dtype=np.uint8).reshape(12, -1):
            stream.write(part.tobytes())
    assert sorted(folder.names()) == ["a", "b"]
    assert folder.read("a") == b"hello"
    assert folder.read_at("b", (5 << 20) + 3, 4) == bytes([3, 4, 5, 6])
    for _ in range(2):
        folder.remove("a")
    assert folder.names() == ["b"]


def test_where_answers_can_go(tmp_path):
    assert open_folder(tmp_path / "a" / "b") == LocalFolder(tmp_path / "a" / "b")
    assert open_folder(f"file://{tmp_path}/c%20d") == LocalFolder(tmp_path / "c d")
    assert (tmp_path / "c d").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        open_folder(tmp_path / "file")
    for name in ("ftp://x/y", "https://x/y", "hdfs://x/y"):
        with pytest.raises(UsageError, match="nothing can be written"):
            open_folder(name)


def test_names_in_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = str(tmp_path / "list.parquet")
    names = [f"{i}.jpg" for i in range(1000)]
    parquet.write_table(arrow.table({"id": range(1000), "path": names}), file, row_group_size=300)
    assert list(names_in_parquet(file)) == names
    assert list(names_in_parquet(f"file://{file}")) == names
    with pytest.raises(UsageError, match="no column 'id' of text"):
        list(names_in_parquet(file, "id"))
    with pytest.raises(FaceGenderError, match="missing"):
        list(names_in_parquet(str(tmp_path / "no.parquet")))
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(FaceGenderError, match="as Parquet"):
        list(names_in_parquet(str(tmp_path / "bad.parquet")))


def test_names_in_parquet_in_a_bucket(s3, tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"path": ["a.jpg", "b.jpg"]}), tmp_path / "x.parquet")
    s3.objects["photos/x.parquet"] = (tmp_path / "x.parquet").read_bytes()
    assert list(names_in_parquet("s3://photos/x.parquet")) == ["a.jpg", "b.jpg"]
