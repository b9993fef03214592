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


@pytest.mark.parametrize("size", [3, 4])
def test_cutout_covers_one_square_whose_middle_is_in_any_pixel(size):
    pictures = ramps(3000) + 1000
    changed = augmentation.cutout(pictures, np.random.default_rng(6), size, value=7)
    covered = np.any(changed != pictures, axis=3)
    assert np.all(changed[covered] == 7)
    heights, widths = covered.any(axis=2).sum(axis=1), covered.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(covered.sum(axis=(1, 2)), heights * widths)  # a rectangle, cut off by the edges
    assert heights.max() == widths.max() == size
    inside = (heights == size) & (widths == size)
    assert abs(inside.mean() - ((9 - size) / 8) ** 2) < 0.05  # 9 - size of 8 rows, and of 8 columns; 5 sigma
    corners = {
        (int(rows.argmax()), int(columns.argmax()))
        for rows, columns in zip(covered.any(axis=2), covered.any(axis=1), strict=True)
    }
    assert max(corners) == (8 - (size + 1) // 2, 8 - (size + 1) // 2)


def test_cutout_of_one_pixel_covers_each_pixel_sometimes():
    changed = augmentation.cutout(np.ones((2000, 5, 6, 3), np.float32), np.random.default_rng(7), 1)
    covered = changed[..., 0] == 0
    assert np.all(covered.sum(axis=(1, 2)) == 1)
    assert covered.any(axis=0).all()


@pytest.mark.parametrize("size", [0, 2.5])
def test_cutout_of_no_size_is_refused(size):
    with pytest.raises(ValueError, match="`size` should be"):
        augmentation.cutout(ramps(2), np.random.default_rng(1), size)


@pytest.mark.parametrize("size", [0, 9, 2.5])
def test_impossible_crops_are_refused(size):
    with pytest.raises(ValueError, match="`size` should be"):
        augmentation.cropped(ramps(2), np.random.default_rng(1), size)


def test_no_shift_changes_nothing():
    pictures = ramps(5)
    changed = augmentation.shifted(pictures, np.random.default_rng(3), largest=0)
    np.testing.assert_array_equal(changed, pictures)
    assert not np.shares_memory(changed, pictures)


def small_cutout(pictures, rng):
    return augmentation.cutout(pictures, rng, 2)


@pytest.mark.parametrize("augment", [augmentation.mirrored, augmentation.shifted, small_cutout])
def test_type_seed_and_input_are_kept(augment):
    pictures = ramps(50).astype(np.uint8)
    before = pictures.copy()
    first, second = (augment(pictures, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(pictures, before)
    assert first.dtype == np.uint8
    assert first.shape == pictures.shape


def small_cutout(pictures, rng):
    return augmentation.cutout(pictures, rng, 2)


@pytest.mark.parametrize("augment", [augmentation.mirrored, augmentation.shifted, small_cutout])
def test_other_axes_are_refused(augment):
    with pytest.raises(ValueError, match=r"`pictures` should have the shape \(n, H, W, C\)\. Received: \(8, 8, 2\)"):
        augment(ramps(1)[0], np.random.default_rng(1))


@pytest.mark.parametrize("largest", [-1, 8, 1.5])
def test_impossible_shifts_are_refused(largest):
    with pytest.raises(ValueError, match="`largest` should be"):
        augmentation.shifted(ramps(2), np.random.default_rng(1), largest=largest)
