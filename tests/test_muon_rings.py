import numpy as np
import pytest

from showertools import camera, cherenkov, hillas, muon_rings

LST = camera.lst()
NAMES = ("muonring_center_fov_lon", "muonring_center_fov_lat", "muonring_radius")


def ring(centre, radius, *, arc=np.pi, thickness=0.06):
    """Ones on a circle, over angles up to `arc` to either side of the longitude."""
    x, y = (LST.positions - centre).T
    return (np.abs(np.hypot(x, y) - radius) < thickness) & (np.abs(np.arctan2(y, x)) < arc)


@pytest.mark.parametrize(("centre", "radius"), [((0.0, 0.0), 1.2), ((0.5, -0.3), 0.8)])
def test_circles_are_found(centre, radius):
    on = ring(centre, radius)
    found = muon_rings.fit(LST, np.stack([on * 10.0, on * 3.0]), np.stack([on, on]))
    np.testing.assert_allclose(np.stack([found[name] for name in NAMES], axis=1), [[*centre, radius]] * 2, atol=0.01)


def test_three_pixels_define_their_circle():
    pixels = [100, 900, 1700]
    on = np.isin(np.arange(LST.n_pixels), pixels)
    found = muon_rings.fit(LST, (np.arange(LST.n_pixels) + 1.0)[None], on[None])
    centre = [found[NAMES[0]][0], found[NAMES[1]][0]]
    away = np.hypot(*(LST.positions[pixels] - centre).T)
    np.testing.assert_allclose(away, found["muonring_radius"][0], rtol=1e-4)


def test_charges_are_weights_and_other_pixels_do_not_count():
    on = ring((0.0, 0.0), 1.2)
    image = np.where(on, 10.0, 1e4)
    off = np.flatnonzero(on)[:5]
    doubtful = on.copy()
    doubtful[[900, 930]] = True
    image[[900, 930]] = 1e-6
    image[off] = -3.0
    found = muon_rings.fit(LST, image[None], doubtful[None])
    assert found["muonring_radius"][0] == pytest.approx(1.2, abs=0.01)


def test_images_without_a_circle():
    image = np.zeros((5, LST.n_pixels))
    mask = np.zeros(image.shape, bool)
    image[1, [5, 900]] = 9.0
    image[2, np.abs(LST.positions[:, 1]) < 1e-6] = 9.0  # one row
    image[3, ring((0.0, 0.0), 1.2)] = np.nan
    image[4, ring((0.0, 0.0), 1.2)] = 9.0
    mask[1:] = image[1:] != 0
    found = muon_rings.fit(LST, image, mask)
    assert np.isnan(found["muonring_radius"]).tolist() == [True, True, True, True, False]
    assert np.isnan(muon_rings.light(LST, np.nan_to_num(image), found)).tolist() == [True, True, True, True, False]
    assert all(len(values) == 0 for values in muon_rings.fit(LST, image[:0], mask[:0]).values())


def test_the_light_of_a_ring_is_all_that_lies_near_it():
    on = ring((0.2, 0.1), 1.0)
    circle = dict(zip(NAMES, np.array([[0.2], [0.1], [1.0]]), strict=True))
    image = on * 7.0
    image[np.argmin(np.hypot(*(LST.positions - [0.2, 0.1]).T))] = 1000.0  # in the middle
    assert muon_rings.light(LST, image[None], circle)[0] == pytest.approx(7 * on.sum())
    assert muon_rings.light(LST, image[None], circle, width=1.5)[0] == pytest.approx(7 * on.sum() + 1000)


def test_simulated_rings():
    core = np.random.default_rng(1).uniform(-6, 6, (60, 2))
    events = cherenkov.simulate_muons(np.random.default_rng(2), 0.2, core=core, offset=(0.3, 0.2))
    image = events["image"][:, 0]
    found = muon_rings.fit(LST, image, hillas.tailcuts_clean(LST, image, 6, 3, 2, workers=1))
    assert np.median(found["muonring_radius"]) == pytest.approx(1.19, abs=0.01)
    assert np.median(found["muonring_center_fov_lon"]) == pytest.approx(0.3, abs=0.01)
    light = muon_rings.light(LST, image, found)
    assert np.median(light / events["true_image_sum"][:, 0]) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda image: muon_rings.fit(LST, image[:, :9], image > 0), r"`image` should have the shape \(n, 1855\)"),
        (lambda image: muon_rings.fit(LST, image, image[:0] > 0), r"`mask` should have the shape \(2, 1855\)"),
        (lambda image: muon_rings.light(LST, image, dict.fromkeys(NAMES, np.ones(3))), r"one circle for each of 2"),
        (
            lambda image: muon_rings.light(LST, image, dict.fromkeys(NAMES, np.ones(2)), width=0.0),
            r"`width` should be a positive number\. Received: 0\.0",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, LST.n_pixels)))
