import numpy as np
import pytest

from showertools import augmentation


def ramps(number=200):
    """Pictures whose value at (row, column) is 100 * row + column, with a second channel of the opposite sign."""
    one = 100.0 * np.arange(8)[:, None] + np.arange(8)
    return np.repeat(np.stack([one, -one], axis=-1)[None], number, axis=0).astype(np.float32)  # (n, 8, 8, 2)


def test_a_mirrored_picture_is_the_picture_or_its_mirror_image_half_of_each():
    pictures = ramps()
    changed = augmentation.mirrored(pictures, np.random.default_rng(1))
    same = np.all(changed == pictures, axis=(1, 2, 3))
    mirror = np.all(changed == pictures[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(same ^ mirror)
    assert 60 < mirror.sum() < 140  # 200 coins, 5.7 sigma


def test_shifts_reach_each_offset_and_keep_the_inside():
    pictures = ramps(2000)
    changed = augmentation.shifted(pictures, np.random.default_rng(2), largest=2)
    middle = changed[:, 4, 4, 0] - pictures[0, 4, 4, 0]
    down, right = np.round(middle / 100), middle - 100 * np.round(middle / 100)
    found = {(int(a), int(b)) for a, b in zip(down, right, strict=True)}
    assert found == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}
    np.testing.assert_array_equal(changed[..., 0], -changed[..., 1])  # both channels move together
    one = np.flatnonzero((down == 1) & (right == -2))[0]
    np.testing.assert_array_equal(changed[one, :7, 2:], pictures[0, 1:, :6])
    np.testing.assert_array_equal(changed[one, 7], changed[one, 5])  # reflected, the last row not repeated


def test_a_crop_is_a_part_of_the_picture_and_all_places_come():
    pictures = ramps(500)
    changed = augmentation.cropped(pictures, np.random.default_rng(5), 6)
    assert changed.shape == (500, 6, 6, 2)
    rows, columns = (changed[:, 0, 0, 0] // 100).astype(int), (changed[:, 0, 0, 0] % 100).astype(int)
    assert {*zip(rows.tolist(), columns.tolist(), strict=True)} == {(a, b) for a in range(3) for b in range(3)}
    for picture, row, column in zip(changed, rows, columns, strict=True):
        np.testing.assert_array_equal(picture, pictures[0, row : row + 6, column : column + 6])


@pytest.mark.parametrize("size", [0, 9, 2.5])
def test_impossible_crops_are_refused(size):
    with pytest.raises(ValueError, match="`size` should be"):
        augmentation.cropped(ramps(2), np.random.default_rng(1), size)


def test_no_shift_changes_nothing():
    pictures = ramps(5)
    changed = augmentation.shifted(pictures, np.random.default_rng(3), largest=0)
    np.testing.assert_array_equal(changed, pictures)
    assert not np.shares_memory(changed, pictures)


@pytest.mark.parametrize("augment", [augmentation.mirrored, augmentation.shifted])
def test_type_seed_and_input_are_kept(augment):
    pictures = ramps(50).astype(np.uint8)
    before = pictures.copy()
    first, second = (augment(pictures, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(pictures, before)
    assert first.dtype == np.uint8
    assert first.shape == pictures.shape


@pytest.mark.parametrize("augment", [augmentation.mirrored, augmentation.shifted])
def test_other_axes_are_refused(augment):
    with pytest.raises(ValueError, match=r"`pictures` should have the shape \(n, H, W, C\)\. Received: \(8, 8, 2\)"):
        augment(ramps(1)[0], np.random.default_rng(1))


@pytest.mark.parametrize("largest", [-1, 8, 1.5])
def test_impossible_shifts_are_refused(largest):
    with pytest.raises(ValueError, match="`largest` should be"):
        augmentation.shifted(ramps(2), np.random.default_rng(1), largest=largest)
