import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showertools import telescope_frame

ALTITUDES, AZIMUTHS = st.floats(40, 89), st.floats(0, 359)
OFFSETS = st.floats(-10, 10)


def separation(alt, az, alt_0, az_0):
    """Angle between two directions [degrees], by the haversine formula."""
    alt, az, alt_0, az_0 = np.radians([alt, az, alt_0, az_0])
    square = np.sin((alt - alt_0) / 2) ** 2 + np.cos(alt) * np.cos(alt_0) * np.sin((az - az_0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(square)))


@given(OFFSETS, OFFSETS, ALTITUDES, AZIMUTHS)
def test_there_and_back(longitude, latitude, alt, az):
    found = telescope_frame.from_sky(*telescope_frame.to_sky(longitude, latitude, alt, az), alt, az)
    np.testing.assert_allclose(found, (longitude, latitude), atol=1e-9)


@given(OFFSETS, OFFSETS, ALTITUDES, AZIMUTHS)
def test_angles_are_kept(longitude, latitude, alt, az):
    sky = telescope_frame.to_sky(longitude, latitude, alt, az)
    assert separation(*sky, alt, az) == pytest.approx(separation(latitude, longitude, 0, 0), abs=1e-6)


def test_longitude_grows_with_azimuth_and_latitude_with_altitude():
    np.testing.assert_allclose(telescope_frame.from_sky(70.0, 120.0, 70.0, 120.0), (0, 0), atol=1e-12)
    np.testing.assert_allclose(telescope_frame.from_sky(72.0, 120.0, 70.0, 120.0), (0, 2), atol=1e-12)
    longitude, latitude = telescope_frame.from_sky(60.0, 120.1, 60.0, 120.0)
    assert longitude == pytest.approx(0.05, rel=1e-3)  # a circle of the same altitude is half as long at 60°
    assert abs(latitude) < 1e-3


def test_azimuth_has_no_jump():
    _, az = telescope_frame.to_sky([-1.0, 1.0], 0.0, 70.0, 0.0)
    assert az[0] > 350
    assert az[1] < 10
    longitude, _ = telescope_frame.from_sky(70.0, [359.5, 0.5], 70.0, 0.0)
    np.testing.assert_allclose(longitude[0], -longitude[1])


@given(ALTITUDES, AZIMUTHS)
def test_axes_are_orthogonal(alt, az):
    frame = np.array(telescope_frame.axes(alt, az))
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(frame[0], telescope_frame.unit_vector(alt, az))


def test_vectors_on_paper():
    np.testing.assert_allclose(telescope_frame.unit_vector(0.0, 90.0), (0, -1, 0), atol=1e-12)  # east
    np.testing.assert_allclose(telescope_frame.unit_vector(90.0, 0.0), (0, 0, 1), atol=1e-12)


def test_shapes():
    longitude, latitude = telescope_frame.from_sky(np.full((5, 1), 70.0), [0.0, 1.0], 70.0, 0.0)
    assert longitude.shape == latitude.shape == (5, 2)
    alt, az = telescope_frame.to_sky(np.zeros(0), np.zeros(0), 70.0, 0.0)
    assert alt.shape == az.shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 0.0, 70.0, 0.0), r"`alt` should be finite\. Received: 1 of 1"),
        ((70.0, 0.0, 70.0, "north"), r"`pointing_az` should hold real numbers\. Received"),
        (
            (np.zeros(2), np.zeros(3), 70.0, 0.0),
            r"`alt`, `az`, `pointing_alt`, `pointing_az` should have shapes that br",
        ),
    ],
)
def test_bad_directions(arguments, message):
    with pytest.raises(ValueError, match=message):
        telescope_frame.from_sky(*arguments)
