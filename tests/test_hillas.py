import numpy as np
import pytest
from scipy import ndimage

from showertools import camera, geometry, hillas

UNIT = camera.Camera("unit", geometry.hexagon(8, 1.0), float(np.degrees(1.0)))  # a pitch of 1°
SMALL, LST = camera.small(), camera.lst()
CUT = {"picture_thresh": 8.0, "boundary_thresh": 4.0, "min_number_picture_neighbors": 2}
MOMENTS = ("intensity", "fov_lon", "fov_lat", "length", "width", "psi", "skewness", "kurtosis")


def at(*steps, of=UNIT):
    """Return the pixels that are (right, upper right) steps away from the middle."""
    columns, rows = np.array(steps).T
    origin = np.array(of.layout.origin)
    grid = {tuple(place): index for index, place in enumerate((of.layout.grid - origin).astype(int))}
    return [grid[row, column] for row, column in zip(rows, columns, strict=True)]


def picture(charges, of=UNIT):
    """Return one image (1, P) of charges given by their steps."""
    image = np.zeros((1, of.n_pixels), np.float32)
    image[0, at(*charges, of=of)] = list(charges.values())
    return image


def ellipses(of, n_images, seed=0):
    """Return noisy images of ellipses, some with a second patch, and times along them with some outliers."""
    rng = np.random.default_rng(seed)

    def uniform(low, high):
        return rng.uniform(low, high, (n_images, 1))

    psi, length, slope = uniform(-np.pi / 2, np.pi / 2), uniform(0.15, 0.4), uniform(-10, 10)
    width = length * uniform(0.3, 0.7)
    x, y = (of.positions[:, axis] - uniform(-1.5, 1.5) for axis in (0, 1))
    along, across = x * np.cos(psi) + y * np.sin(psi), y * np.cos(psi) - x * np.sin(psi)
    expected = 10 ** uniform(0.8, 2) * np.exp(-((along / length) ** 2 + (across / width) ** 2) / 2)
    expected += uniform(-30, 30).clip(0) * np.exp(-((x - 0.8) ** 2 + (y - 0.3) ** 2) / (2 * 0.1**2))
    image = rng.poisson(expected) + rng.normal(0, 1.2, expected.shape)
    time = 20 + slope * along + 50 * (rng.random(expected.shape) < 0.03)
    return image.astype(np.float32), time.astype(np.float32)


@pytest.fixture(scope="module")
def cleaned():
    image, time = ellipses(SMALL, 300)
    mask = hillas.tailcuts_clean(SMALL, image, **CUT)
    return image, mask, time, hillas.hillas_parameters(SMALL, image, mask, time)


# --- cleaning ---------------------------------------------------------------------------------------------------------


def test_cleaning_on_paper():
    # a pair in the picture, one beside it, one beyond that, one alone
    image = picture({(0, 0): 8, (1, 0): 10, (-1, 1): 4, (3, 0): 7.9, (-5, 0): 99})

    def kept(**other):
        cut = {**CUT, "min_number_picture_neighbors": 1, **other}
        return sorted(np.flatnonzero(hillas.tailcuts_clean(UNIT, image, **cut)))

    assert kept() == sorted(at((0, 0), (1, 0), (-1, 1)))
    assert kept(min_number_picture_neighbors=2) == []
    assert kept(min_number_picture_neighbors=0) == sorted(at((0, 0), (1, 0), (-1, 1)))  # 99 p.e. stand alone
    assert kept(keep_isolated_pixels=True) == sorted(at((0, 0), (1, 0), (-1, 1), (-5, 0)))
    assert kept(keep_isolated_pixels=True, min_number_picture_neighbors=6) == kept(keep_isolated_pixels=True)
    assert kept(boundary_thresh=4.1) == sorted(at((0, 0), (1, 0)))
    assert kept(picture_thresh=8.1, min_number_picture_neighbors=0) == sorted(at((0, 0), (1, 0)))  # now a boundary
    np.testing.assert_array_equal(np.flatnonzero(hillas.tailcuts_clean(UNIT, image, 8, 4, 1)), kept())  # by position
    thresholds = np.full(UNIT.n_pixels, 8.0)
    thresholds[at((1, 0))] = 11.0
    assert kept(picture_thresh=thresholds, min_number_picture_neighbors=0) == sorted(at((0, 0), (1, 0), (-1, 1)))


def slow_clean(image, of, *, picture_thresh, boundary_thresh, min_number_picture_neighbors, keep_isolated_pixels):
    around = [[n for n in some if n >= 0] for some in of.neighbours]
    above = image >= picture_thresh
    enough = [keep_isolated_pixels or above[some].sum() >= min_number_picture_neighbors for some in around]
    in_picture = above & enough
    kept = []
    for pixel, some in enumerate(around):
        beside = image[pixel] >= boundary_thresh and in_picture[some].any()
        kept.append(beside or (in_picture[pixel] and (keep_isolated_pixels or (image[some] >= boundary_thresh).any())))
    return np.array(kept)


@pytest.mark.parametrize("keep_isolated_pixels", [False, True])
@pytest.mark.parametrize("min_number_picture_neighbors", [0, 1, 2, 3])
def test_cleaning_does_what_its_definition_says(keep_isolated_pixels, min_number_picture_neighbors):
    image = np.random.default_rng(3).exponential(5, (20, UNIT.n_pixels)).astype(np.float32)
    cut = {**CUT, "min_number_picture_neighbors": min_number_picture_neighbors}
    cut["keep_isolated_pixels"] = keep_isolated_pixels
    expected = [slow_clean(one, UNIT, **cut) for one in image]
    np.testing.assert_array_equal(hillas.tailcuts_clean(UNIT, image, **cut), expected)


def test_nan_is_not_kept_and_does_no_harm():
    image = picture({(0, 0): 9, (1, 0): 9, (0, 1): np.nan, (1, 1): 5})
    mask = hillas.tailcuts_clean(UNIT, image, **{**CUT, "min_number_picture_neighbors": 1})
    assert sorted(np.flatnonzero(mask)) == sorted(at((0, 0), (1, 0), (1, 1)))
    found = hillas.hillas_parameters(UNIT, image, mask)
    assert found["valid"].all()
    assert found["hillas_intensity"] == 23


# --- moments on paper -------------------------------------------------------------------------------------------------


def test_two_pixels():
    image = picture({(0, 0): 3, (1, 0): 1})
    found = hillas.hillas_parameters(UNIT, image, peak_time=picture({(0, 0): 10, (1, 0): 12}))
    expected = {
        "hillas_intensity": 4,
        "hillas_fov_lon": 0.25,
        "hillas_fov_lat": 0,
        "hillas_r": 0.25,
        "hillas_phi": 0,
        "hillas_length": np.sqrt(3) / 4,  # as of a Bernoulli distribution with p = 1/4
        "hillas_width": 0,
        "hillas_psi": 0,
        "hillas_skewness": 2 / np.sqrt(3),
        "hillas_kurtosis": 7 / 3,
        "hillas_length_uncertainty": np.sqrt(3) / 8 * np.sqrt(4 / 3 / 4),
        "hillas_width_uncertainty": np.nan,
        "hillas_psi_uncertainty": np.degrees(np.sqrt(np.sqrt(0.75) / 4) / (np.sqrt(3) / 4)),
        "hillas_transverse_cog_uncertainty": np.sqrt(np.sqrt(0.75) / 4),
        "timing_slope": 2,
        "timing_intercept": 10.5,
        "timing_deviation": 0,
        "leakage_pixels_width_1": 0,
        "leakage_pixels_width_2": 0,
        "leakage_intensity_width_1": 0,
        "leakage_intensity_width_2": 0,
        "concentration_cog": 1,
        "concentration_core": 0,
        "concentration_pixel": 0.75,
        "morphology_n_pixels": 2,
        "morphology_n_islands": 1,
        "morphology_n_small_islands": 1,
        "morphology_n_medium_islands": 0,
        "morphology_n_large_islands": 0,
        "valid": 1,
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("step", "psi"), [((1, 0), 0), ((0, 1), 60), ((-1, 1), -60)])
def test_a_uniform_line(step, psi):
    line = {(3 + number * step[0], 1 + number * step[1]): 5 for number in range(-3, 4)}
    found = hillas.hillas_parameters(UNIT, picture(line))
    expected = (35, 3.5, np.sqrt(0.75), 2, 0, psi, 0, 1.75)  # variance (7² - 1)/12, kurtosis 3/5·(3·7² - 7)/(7² - 1)
    for name, value in zip(MOMENTS, expected, strict=True):
        np.testing.assert_allclose(found[f"hillas_{name}"], [value], rtol=1e-6, atol=1e-5, err_msg=name)


def test_upright_lines_have_psi_90():
    image = np.zeros((500, UNIT.n_pixels), np.float32)
    image[:, at((1, 0), (0, 2), (2, -2), (3, -4))] = np.random.default_rng(6).uniform(1, 9, (500, 4))
    np.testing.assert_allclose(
        hillas.hillas_parameters(UNIT, image)["hillas_psi"], 90
    )  # not -90, whatever the rounding


@pytest.mark.parametrize("psi", [-70.0, -20.0, 0.0, 40.0, 85.0])
def test_a_gaussian_ellipse(psi):
    angle = np.radians(psi)
    x, y = (LST.positions - [0.3, -0.2]).T
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    image = 100 * np.exp(-((along / 0.3) ** 2 + (across / 0.15) ** 2) / 2)
    found = hillas.hillas_parameters(LST, image[None], peak_time=(15 - 6 * along)[None])
    area = np.sqrt(0.75) * LST.pitch**2
    expected = (100 * 2 * np.pi * 0.3 * 0.15 / area, 0.3, -0.2, 0.3, 0.15, psi, 0, 3)
    for name, value in zip(MOMENTS, expected, strict=True):
        np.testing.assert_allclose(found[f"hillas_{name}"], [value], rtol=1e-4, atol=1e-4, err_msg=name)
    assert found["hillas_r"][0] == pytest.approx(np.hypot(0.3, 0.2), rel=1e-4)
    assert found["hillas_phi"][0] == pytest.approx(np.degrees(np.arctan2(-0.2, 0.3)), rel=1e-4)
    n_photons = expected[0]
    assert found["hillas_length_uncertainty"][0] == pytest.approx(0.3 / np.sqrt(2 * n_photons), rel=1e-3)
    assert found["hillas_width_uncertainty"][0] == pytest.approx(0.15 / np.sqrt(2 * n_photons), rel=1e-3)
    assert found["concentration_core"][0] == pytest.approx(1 - np.exp(-0.5), abs=0.05)  # whole pixels
    assert found["timing_slope"][0] == pytest.approx(-6, abs=1e-3)
    assert found["timing_intercept"][0] == pytest.approx(15, abs=1e-3)
    assert found["timing_deviation"][0] < 1e-3


def test_the_uncertainties_are_the_spread_of_drawn_images():
    x, y = LST.positions.T
    expected = 30 * np.exp(-((x / 0.3) ** 2 + (y / 0.12) ** 2) / 2)
    image = np.random.default_rng(4).poisson(expected, (2000, LST.n_pixels))
    found = hillas.hillas_parameters(LST, image)
    for name in ("length", "width"):
        spread = found[f"hillas_{name}"].std()
        assert found[f"hillas_{name}_uncertainty"].mean() == pytest.approx(spread, rel=0.1)


def test_turned_by_60_degrees(cleaned):
    image, mask, *_ = cleaned
    cosine, sine = 0.5, np.sqrt(0.75)
    turned = SMALL.positions @ [[cosine, sine], [-sine, cosine]]
    comes_from = np.linalg.norm(SMALL.positions[:, None] - turned, axis=-1).argmin(axis=1)
    before = hillas.hillas_parameters(SMALL, image, mask)
    after = hillas.hillas_parameters(SMALL, image[:, comes_from], mask[:, comes_from])
    np.testing.assert_array_equal(after["valid"], before["valid"])
    use = before["valid"] & (before["hillas_length"] > 1.02 * before["hillas_width"])  # a circle has no direction
    assert use.sum() > 150
    for name, period in (("hillas_phi", 360), ("hillas_psi", 180)):
        change = (after[name] - before[name] - 60 + period / 2) % period - period / 2
        np.testing.assert_allclose(change[use], 0, atol=0.01, err_msg=name)
    beyond_90 = after["hillas_psi"] < before["hillas_psi"]  # now along the other direction of the axis
    after["hillas_skewness"][beyond_90] *= -1
    for name in before.keys() - {"hillas_phi", "hillas_psi", "hillas_fov_lon", "hillas_fov_lat"}:
        np.testing.assert_allclose(after[name][use], before[name][use], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_camera_that_is_turned_and_numbered_in_another_way(cleaned, is_mirrored):
    image, _, time, before = cleaned
    angle, order = 17.0, np.random.default_rng(5).permutation(SMALL.n_pixels)
    places = SMALL.layout.positions @ [1, 1j]
    places = (places.conj() if is_mirrored else places) * np.exp(1j * np.radians(angle))
    other = camera.from_positions("turned", places[order].real, places[order].imag, SMALL.focal_length)
    image, time = image[:, order], time[:, order]
    after = hillas.hillas_parameters(other, image, hillas.tailcuts_clean(other, image, **CUT), time)
    np.testing.assert_array_equal(after["valid"], before["valid"])
    use = before["valid"] & (before["hillas_length"] > 1.02 * before["hillas_width"])  # a circle has no direction
    sign = -1 if is_mirrored else 1
    change = after["hillas_phi"] - sign * before["hillas_phi"] - angle
    np.testing.assert_allclose((change[use] + 180) % 360 - 180, 0, atol=0.01)
    expected = sign * before["hillas_psi"] + angle
    half_turns = np.round((after["hillas_psi"] - expected) / 180)[use]
    np.testing.assert_allclose(after["hillas_psi"][use], expected[use] + 180 * half_turns, atol=0.01)
    direction = 1 - 2 * (half_turns % 2)  # -1: now along the other direction of the axis
    for name in ("hillas_skewness", "timing_slope"):
        after[name][use] *= direction
    for name in before.keys() - {"hillas_phi", "hillas_psi", "hillas_fov_lon", "hillas_fov_lat"}:
        close = np.isclose(after[name][use], before[name][use], rtol=1e-3, atol=1e-4, equal_nan=True)
        # the fit of the times starts from pairs of pixels in their order, and may end in another minimum
        assert close.mean() > 0.9 if name.startswith("timing") else close.all(), name


# --- times, leakage, islands, concentration ---------------------------------------------------------------------------


def test_a_time_gradient_in_spite_of_outliers(cleaned):
    image, mask, time, found = cleaned
    line = 12 + 5 * SMALL.positions[:, 0]
    found = hillas.hillas_parameters(SMALL, image, mask, np.where(time > 60, 0, line).astype(np.float32))
    some = found["valid"] & (found["morphology_n_pixels"] >= 20)
    straight = some & (np.abs(found["hillas_psi"]) < 85)
    assert straight.sum() > 50
    # along the axis, the gradient of 5 ns/deg along the longitude is 5·cos(psi), apart from what lies across
    expected = 5 * np.cos(np.radians(found["hillas_psi"]))
    assert np.median(np.abs(found["timing_slope"] - expected)[straight]) < 0.3
    assert np.median(np.abs(found["timing_intercept"] - 12 - 5 * found["hillas_fov_lon"])[straight]) < 0.1


def test_times_that_are_missing_are_left_out():
    line = {(number, 0): 5 for number in range(-3, 4)}
    times = {place: 10 + 2 * place[0] for place in line}
    times[(2, 0)], times[(3, 0)] = np.nan, np.inf
    time = picture(times).astype(np.float64)
    time[0, at((-3, 0))] = -1e200  # its square is infinite
    found = hillas.hillas_parameters(UNIT, picture(line), peak_time=time)
    np.testing.assert_allclose(found["timing_slope"], [2], atol=1e-6)
    np.testing.assert_allclose(found["timing_deviation"], [0], atol=1e-6)
    nothing = hillas.hillas_parameters(UNIT, picture(line), peak_time=np.full((1, UNIT.n_pixels), np.nan))
    assert nothing["valid"].all()
    assert np.isnan([nothing[f"timing_{name}"] for name in ("slope", "intercept", "deviation")]).all()
    assert "timing_slope" not in hillas.hillas_parameters(UNIT, picture(line))


def test_leakage_at_the_border():
    image = picture({(8, 0): 1, (7, 0): 2, (6, 0): 5})
    found = hillas.hillas_parameters(UNIT, image)
    np.testing.assert_allclose(found["leakage_pixels_width_1"], [1 / 3])
    np.testing.assert_allclose(found["leakage_pixels_width_2"], [2 / 3])
    np.testing.assert_allclose(found["leakage_intensity_width_1"], [1 / 8])
    np.testing.assert_allclose(found["leakage_intensity_width_2"], [3 / 8])


def test_islands_of_each_size():
    middle = geometry.hexagon(4, 1.0)
    sixty_one = {tuple(step): 1.0 for step in (middle.grid[:, ::-1] - 4)}
    line = {(-8, number): 1.0 for number in range(1, 4)}  # 3 pixels
    image = picture(sixty_one | line | {(8, 0): 1.0, (8, -8): 1.0, (7, -8): 1.0})
    found = hillas.hillas_parameters(UNIT, image)
    numbers = {name: int(found[f"morphology_n_{name}"][0]) for name in ("pixels", "islands")}
    assert numbers == {"pixels": 61 + 3 + 1 + 2, "islands": 4}
    assert [int(found[f"morphology_n_{size}_islands"][0]) for size in ("small", "medium", "large")] == [2, 1, 1]


def test_islands_are_those_of_a_labelled_array():
    mask = np.random.default_rng(5).random((1500, UNIT.n_pixels)) < np.linspace(0, 0.7, 1500)[:, None]
    found = hillas.hillas_parameters(UNIT, np.ones(mask.shape, np.float32), mask)
    structure = geometry.hexagon(1, 1.0).mask("axial")
    arrays = UNIT.layout.to_array(mask, "axial")
    np.testing.assert_array_equal(
        found["morphology_n_islands"], [ndimage.label(array, structure)[1] for array in arrays]
    )
    np.testing.assert_array_equal(found["morphology_n_pixels"], mask.sum(axis=1))


def test_concentration_on_paper():
    flower = {(0, 0): 4, **{(column, row): 1 for row, column in geometry.HEXAGONAL_STEPS}}
    found = hillas.hillas_parameters(UNIT, picture(flower))
    # the neighbours are just one pitch away, and the length is √(6/10·1/2)
    np.testing.assert_allclose([found["hillas_length"][0], found["hillas_width"][0]], np.sqrt(0.3), rtol=1e-6)
    for name in ("cog", "core", "pixel"):
        np.testing.assert_allclose(found[f"concentration_{name}"], [0.4], err_msg=name)


# --- batches and bad images -------------------------------------------------------------------------------------------


def test_types(cleaned):
    *_, found = cleaned
    for name, values in found.items():
        expected = bool if name == "valid" else np.int32 if name.startswith("morphology") else np.float32
        assert values.dtype == expected
        assert values.shape == (300,)
    assert found["valid"].mean() > 0.5


def test_an_image_does_not_see_the_others(cleaned):
    image, mask, time, found = cleaned
    for some in (slice(0, 1), slice(7, 90)):
        alone = hillas.hillas_parameters(SMALL, image[some], mask[some], time[some])
        for name, values in alone.items():
            np.testing.assert_allclose(values, found[name][some], rtol=1e-5, atol=1e-6, err_msg=name)
    many = [np.tile(values, (5, 1)) for values in (image, mask, time)]  # more than one part
    again = hillas.hillas_parameters(SMALL, many[0], many[1], many[2], workers=2)
    for name, values in found.items():
        np.testing.assert_allclose(again[name], np.tile(values, 5), rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(hillas.tailcuts_clean(SMALL, many[0], **CUT, workers=2), many[1])


def test_images_without_parameters():
    image = np.concatenate(
        [
            picture({(0, 0): 0}),
            picture({(0, 0): 7}),  # a single pixel
            picture({(0, 0): 7, (1, 0): np.nan}),
            picture({(0, 0): 7, (1, 0): np.inf}),
            picture({(0, 0): 7, (1, 0): -1}),
            picture({(0, 0): 7, (1, 0): 1e38}),
            picture({(0, 0): 7, (1, 0): 7}),
        ]
    )
    found = hillas.hillas_parameters(UNIT, image, peak_time=np.ones_like(image))
    np.testing.assert_array_equal(found["valid"], [False] * 6 + [True])
    np.testing.assert_array_equal(found["morphology_n_pixels"], [0, 1, 2, 2, 2, 2, 2])
    always = {"valid", "leakage_pixels_width_1", "leakage_pixels_width_2"}
    always |= {name for name in found if name.startswith("morphology")}
    for name in found.keys() - always:
        assert np.isnan(found[name][[0, 2, 3, 4, 5]]).all(), name
    single = {"hillas_length", "hillas_width", "hillas_intensity", "hillas_fov_lon", "hillas_fov_lat"}
    np.testing.assert_allclose([found[name][1] for name in sorted(single)], [0, 0, 7, 0, 0], atol=1e-12)
    for name in ("hillas_psi", "hillas_skewness", "hillas_kurtosis", "hillas_length_uncertainty", "timing_slope"):
        assert np.isnan(found[name][1]), name
    cleaned_away = hillas.hillas_parameters(UNIT, image, np.zeros(image.shape, bool))
    assert not cleaned_away["valid"].any()
    assert np.isnan(cleaned_away["leakage_pixels_width_1"]).all()


def test_no_image_at_all():
    none = np.empty((0, UNIT.n_pixels), np.float32)
    mask = hillas.tailcuts_clean(UNIT, none, **CUT)
    assert (mask.shape, mask.dtype) == (none.shape, bool)
    assert {values.shape for values in hillas.hillas_parameters(UNIT, none, mask, none).values()} == {(0,)}


IMAGE = np.ones((2, UNIT.n_pixels), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hillas.hillas_parameters(LST, IMAGE),
            r"`image` should have the shape \(n, 1855\) for the camera 'LST'\. Received: \(2, 217\)",
        ),
        (
            lambda: hillas.hillas_parameters(UNIT, IMAGE[0]),
            r"\(n, 217\) for the camera 'unit'; image\[None\] is a batch of one\. Received: \(217,\)",
        ),
        (
            lambda: hillas.hillas_parameters(UNIT, IMAGE[:1], IMAGE[0] > 0),
            r"`mask` should have the shape \(1, 217\) for the camera 'unit'; mask\[None\] is a batch of one\. ",
        ),
        (lambda: hillas.hillas_parameters("LST", IMAGE), r"`camera` should be a camera\.Camera\. Received: 'LST'"),
        (
            lambda: hillas.hillas_parameters(IMAGE, UNIT),
            r"`camera` should be given first, and `image` after it\. Received: `image` is a camera\.Camera",
        ),
        (lambda: hillas.tailcuts_clean(IMAGE, UNIT, **CUT), r"`camera` should be given first, and `image` after it\."),
        (
            lambda: hillas.hillas_parameters(UNIT, [[1], [1, 2]]),
            r"`image` should be an array .* rows of different length",
        ),
        (
            lambda: hillas.hillas_parameters(UNIT, IMAGE.astype(str)),
            r"`image` should hold real numbers\. Received: dtype <U32",
        ),
        (
            lambda: hillas.hillas_parameters(UNIT, IMAGE, IMAGE[:1] > 0),
            r"`mask` should have the shape \(2, 217\) for the camera 'unit'\. Received: \(1, 217\)",
        ),
        (lambda: hillas.hillas_parameters(UNIT, IMAGE, IMAGE), r"`mask` should be of type bool\. Received: float32"),
        (
            lambda: hillas.hillas_parameters(UNIT, IMAGE, None, IMAGE[:, 1:]),
            r"`peak_time` should have the shape \(2, 217\)",
        ),
        (lambda: hillas.tailcuts_clean(UNIT, IMAGE[:, 1:], **CUT), r"`image` should have the shape \(n, 217\)"),
        (
            lambda: hillas.tailcuts_clean(UNIT, IMAGE, **{**CUT, "boundary_thresh": 9}),
            r"`boundary_thresh` should be at most `picture_thresh`\. Received: 9\.0 and 8\.0",
        ),
        (
            lambda: hillas.tailcuts_clean(UNIT, IMAGE, **{**CUT, "picture_thresh": np.nan}),
            r"`picture_thresh` should be finite",
        ),
        (
            lambda: hillas.tailcuts_clean(UNIT, IMAGE, **{**CUT, "picture_thresh": [8, 9]}),
            r"`picture_thresh` should be a number, or have the shape \(217,\)\. Received: shape \(2,\)",
        ),
        (
            lambda: hillas.tailcuts_clean(UNIT, IMAGE, **{**CUT, "min_number_picture_neighbors": -1}),
            r"`min_number_picture_neighbors` should be a whole number of at least 0\. Received: -1",
        ),
        (
            lambda: hillas.tailcuts_clean(UNIT, IMAGE, 8, 4, True),  # here ctapipe has keep_isolated_pixels
            r"`min_number_picture_neighbors` should be a whole number of at least 0\. Received: True",
        ),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- ctapipe, where it is installed -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ctapipe_geometry():
    pytest.importorskip("ctapipe", exc_type=ImportError)
    import astropy.units as u
    from ctapipe.instrument import CameraGeometry

    x, y = LST.positions.T * u.deg
    area = np.full(LST.n_pixels, np.sqrt(0.75) * LST.pitch**2) * u.deg**2
    return CameraGeometry("LST", np.arange(LST.n_pixels), x, y, area, "hexagonal", neighbors=None)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("keep_isolated_pixels", [False, True])
@pytest.mark.parametrize("min_number_picture_neighbors", [0, 1, 2])
def test_cleaning_is_that_of_ctapipe(ctapipe_geometry, keep_isolated_pixels, min_number_picture_neighbors):
    from ctapipe.image.cleaning import tailcuts_clean

    image, _ = ellipses(LST, 200, seed=1)
    cut = {**CUT, "min_number_picture_neighbors": min_number_picture_neighbors}
    cut["keep_isolated_pixels"] = keep_isolated_pixels
    expected = [tailcuts_clean(ctapipe_geometry, one, **cut) for one in image]
    np.testing.assert_array_equal(hillas.tailcuts_clean(LST, image, **cut), expected)


def ctapipe_parameters(geometry, image, mask, time):
    """Return ctapipe's parameters of one image, by the names of their columns."""
    from ctapipe import image as ctapipe

    moments = ctapipe.hillas_parameters(geometry[mask], image[mask])
    containers = {
        "hillas": moments,
        "leakage": ctapipe.leakage_parameters(geometry, image, mask),
        "concentration": ctapipe.concentration_parameters(geometry[mask], image[mask], moments),
        "morphology": ctapipe.morphology_parameters(geometry, mask),
        "timing": ctapipe.timing_parameters(geometry, image, time, moments, mask),
    }
    columns = {f"{prefix}_{name}": value for prefix, some in containers.items() for name, value in some.items()}
    for name in ("hillas_phi", "hillas_psi", "hillas_psi_uncertainty"):
        columns[name] = columns[name].to_value("deg")
    return {name: float(getattr(value, "value", value)) for name, value in columns.items()}


@pytest.mark.filterwarnings("default")
def test_parameters_are_those_of_ctapipe(ctapipe_geometry, monkeypatch):
    from ctapipe import fitting
    from ctapipe.image import timing

    def thorough(x, y, samples):
        return fitting.lts_linear_regression(x=x, y=y, samples=60 * samples)  # it draws at random where to start

    monkeypatch.setattr(timing, "lts_linear_regression", thorough)
    image, time = ellipses(LST, 400, seed=2)
    mask = hillas.tailcuts_clean(LST, image, **CUT)
    found = hillas.hillas_parameters(LST, image, mask, time)
    use = np.flatnonzero(found["valid"] & (found["morphology_n_pixels"] > 3))
    assert len(use) > 200
    rows = [ctapipe_parameters(ctapipe_geometry, image[one], mask[one], time[one]) for one in use]
    expected = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    assert set(found) - {"valid"} == set(expected)
    for name, values in expected.items():
        close = np.isclose(found[name][use], values, rtol=1e-3, atol=1e-5)
        if name.startswith("timing"):  # either ends in another minimum now and then
            assert close.mean() > 0.94, name
        else:
            assert close.all(), name
