import os

import pytest

from facegender.errors import UsageError
from facegender.runtime.own_files import refuse_foreign

OWN = [
    '{"schema": 1, "model": {}, "photos": []}',
    '{\n  "schema": 1,\n  "data": {}\n}',
    '{"path": "a.jpg", "error": null, "faces": []}\n',
    '{"path": "a.jpg", "error": "not a photo: it is text", "faces": []}\n',
    "path,error,face,x,y,width,height,landmarks\n",
    "\ufeffpath,label,p_male\n",
    "",
    "  photo   face   where   gender   female   male   how sure\n",
    "<!doctype html><html><head><meta content='made by facegender'></head>",
]


@pytest.mark.parametrize("text", OWN)
def test_what_facegender_wrote_may_be_replaced(tmp_path, text):
    (tmp_path / "out").write_text(text, encoding="utf-8")
    refuse_foreign(tmp_path / "out")


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 a photo", b"path,label\na.jpg,0\n", b'{"path": "x"}', b"notes"]
)
def test_other_files_may_not_unless_that_is_wanted(tmp_path, content):
    (tmp_path / "out").write_bytes(content)
    with pytest.raises(UsageError, match="did not write it"):
        refuse_foreign(tmp_path / "out")
    refuse_foreign(tmp_path / "out", force=True)


def test_folders_never_and_devices_always(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        refuse_foreign(tmp_path, force=True)
    refuse_foreign(tmp_path / "nothing there")
    if os.path.exists("/dev/null"):
        from pathlib import Path

        refuse_foreign(Path("/dev/null"))
