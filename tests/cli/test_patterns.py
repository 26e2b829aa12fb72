import pytest

from facegender.cli._patterns import matching_files


@pytest.fixture
def tree(in_tmp):
    for name in (
        *("a.jpg", "b/c.jpg", "b/d/e.png", ".hidden/x.jpg", "@eaDir/a.jpg/thumb.jpg"),
        *("[2024] Images/one.jpg", "[ab]/one.jpg", "a [1].jpg"),
    ):
        path = in_tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (in_tmp / "b/loop").symlink_to(in_tmp, target_is_directory=True)
    return in_tmp


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["a [1].jpg", "a.jpg"]),
        ("b/*", ["b/c.jpg"]),
        ("b/**/*.png", ["b/d/e.png"]),
        ("**/e.png", ["b/d/e.png"]),
        ("b/**", ["b/c.jpg", "b/d/e.png"]),
        ("[2024] Images/*.jpg", ["[2024] Images/one.jpg"]),
        ("[[]2024] Images/*.jpg", ["[2024] Images/one.jpg"]),
        ("[ab]/*.jpg", ["[ab]/one.jpg"]),
        ("[ab].jpg", ["a.jpg"]),
        ("*/a.jpg/*.jpg", []),
        ("@eaDir/*/*.jpg", ["@eaDir/a.jpg/thumb.jpg"]),
        ("nowhere/*", []),
        (".*/x.jpg", []),
    ],
)
def test_patterns_match_as_shells_do_and_folders_of_systems_do_not(tree, pattern, found):
    (tree / "b/loop").unlink()
    assert [path.replace("\\", "/") for path in matching_files(pattern)] == found


def test_absolute_patterns_and_loops(tree):
    names = matching_files(f"{tree}/**/*.jpg")
    assert len(names) == 5
    assert all(name.startswith(str(tree)) for name in names)
