import errno
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.errors import FaceGenderError
from facegender.faces.crop_cache import CropCache
from facegender.models.inference import run_network

SHAPE = (4, 3, 3)


def filled(count, folder):
    crops = np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    cache = CropCache(count, SHAPE, folder)
    for row, crop in enumerate(crops):
        cache[row] = crop
    return cache, crops


@settings(deadline=None)
@given(st.integers(0, 7), st.data())
def test_a_cache_reads_as_the_array_that_was_written(tmp_path_factory, count, data):
    cache, crops = filled(count, tmp_path_factory.getbasetemp())
    assert (len(cache), cache.shape) == (count, crops.shape)
    rows = data.draw(st.lists(st.integers(0, count - 1))) if count else []
    chosen = np.array(rows, np.int64)
    np.testing.assert_array_equal(cache[chosen], crops[chosen])
    first, last, step = data.draw(st.tuples(st.integers(-8, 8), st.integers(-8, 8), st.just(2)))
    np.testing.assert_array_equal(cache[first:last:step], crops[first:last:step])
    part = cache.take(chosen)
    assert (len(part), part.shape) == (len(rows), crops[chosen].shape)
    np.testing.assert_array_equal(part[first:last], crops[chosen][first:last])


def test_what_was_not_written_is_black_and_the_file_has_no_name(tmp_path):
    cache = CropCache(3, SHAPE, tmp_path)
    cache[1] = np.full(SHAPE, 9, np.uint8)
    assert cache[:][:, 0, 0, 0].tolist() == [0, 9, 0]
    assert not list(tmp_path.iterdir())


def test_a_network_runs_over_a_cache_in_batches(tmp_path):
    cache, crops = filled(7, tmp_path)
    seen = []

    def network(batch):
        seen.append(len(batch))
        return batch.mean((1, 2, 3), dtype=np.float32)[:, None] * np.ones(2, np.float32)

    found = run_network(network, cache.take(np.array([6, 1, 2, 0, 5])), batch=2)
    assert seen == [2, 2, 1]
    np.testing.assert_allclose(found[:, 1], crops[[6, 1, 2, 0, 5]].mean((1, 2, 3)), rtol=1e-6)


def test_a_full_disk_is_a_sentence(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch("facegender.faces.crop_cache.os.posix_fallocate", side_effect=full, create=True),
        pytest.raises(FaceGenderError, match=r"cannot write .*cache of crops: No space left"),
    ):
        CropCache(3, SHAPE, tmp_path)
    cache = CropCache(3, SHAPE, tmp_path)
    cache._file = mock.Mock(write=mock.Mock(side_effect=full))
    with pytest.raises(FaceGenderError, match="No space left"):
        cache[0] = np.zeros(SHAPE, np.uint8)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(FaceGenderError, match="cannot write"):
        CropCache(3, SHAPE, tmp_path / "nowhere")
