"""Rings of muons in camera images: circles for whole batches, and the light on them.

A muon that flies through the mirror of a Cherenkov telescope makes a ring around the direction that it comes from. The
radius is its Cherenkov angle, and physics fixes how much it radiates: so rings are what the efficiency of mirror and
camera is measured with (M. Gaug et al., Astrophys. J. Suppl. 243 (2019) 11, doi:10.3847/1538-4365/ab2123).

The fit is that of I. Kåsa (IEEE Trans. Instrum. Meas. IM-25 (1976) 8): x² + y² = 2ax + 2by + c is linear in the centre
(a, b) and c = R² - a² - b². It needs no start value; on short arcs it finds too small circles. Names of the columns are
ctapipe's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks
from showertools.camera import Camera, check_images
from showertools.chunks import Events

__all__ = ["fit", "light"]

FEWEST_PIXELS = 3
"""Fewest pixels with light that have a circle."""
_FLAT = 1e-9  # of the determinant of the normal equations in which lengths are degrees: all pixels on a line


def fit(camera: Camera, image: ArrayLike, mask: ArrayLike) -> Events:
    """Fit a circle to each image, by least squares weighted with the charges.

    Parameters
    ----------
    camera : Camera
        Of P pixels, in whose order the images are.
    image : array_like
        Charges (n, P) [p.e.]; negative ones have no weight.
    mask : array_like
        (n, P) bool, the pixels that count.

    Returns
    -------
    dict of numpy.ndarray
        `muonring_center_fov_lon`, `muonring_center_fov_lat` and `muonring_radius` [degrees], (n,) float32; NaN for
        fewer than 3 pixels with light, pixels on a line, or a charge that is no finite number.

    Raises
    ------
    ValueError
        If the arrays are not those of the camera.

    Examples
    --------
    >>> from showertools import camera as cameras
    >>> small = cameras.small()
    >>> on_circle = abs(np.hypot(*small.positions.T) - 1.0) < 0.05
    >>> fit(small, on_circle[None] * 10.0, on_circle[None])["muonring_radius"].round(2)
    array([1.], dtype=float32)
    """
    image = check_images(camera, image, "image")
    mask = check_images(camera, mask, "mask", len(image)).astype(bool)
    weight = np.where(mask, np.maximum(image, 0), 0).astype(np.float64)  # (n, P); NaN stays
    usable = np.isfinite(weight).all(axis=1) & ((weight > 0).sum(axis=1) >= FEWEST_PIXELS)
    weight = np.where(usable[:, None], weight, 0.0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
    terms = np.column_stack([camera.positions, np.ones(camera.n_pixels)])  # (P, 3)
    square = (camera.positions**2).sum(axis=1)  # (P,)
    normal = np.einsum("np,pi,pj->nij", weight, terms, terms, optimize=True)
    right = weight @ (terms * square[:, None])  # (n, 3)
    usable &= np.linalg.det(normal) > _FLAT
    normal[~usable] = np.eye(3)
    solution = np.linalg.solve(normal, right[..., None])[..., 0]
    centre = solution[:, :2] / 2
    radius = np.sqrt(np.maximum(solution[:, 2] + (centre**2).sum(axis=1), 0))
    found = np.where(usable, [*centre.T, radius], np.nan).astype(np.float32)
    names = ("muonring_center_fov_lon", "muonring_center_fov_lat", "muonring_radius")
    return dict(zip(names, found, strict=True))


def light(
    camera: Camera, image: ArrayLike, circles: Mapping[str, ArrayLike], *, width: float = 0.3
) -> NDArray[np.float32]:
    """Return the charge on a band around each circle, of all pixels there, cleaned away or not.

    So the light is proportional to the efficiency: no threshold takes a share of faint rings.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    image : array_like
        Charges (n, P) [p.e.].
    circles : mapping of str to array_like
        As `fit` returns them.
    width : float
        How far from the circle pixels may be to either side [degrees], positive.

    Returns
    -------
    numpy.ndarray
        (n,) float32 [p.e.], NaN where there is no circle.

    Raises
    ------
    ValueError
        If the images are not those of the camera, there is not one circle for each, or `width` is not positive.
    """
    image = check_images(camera, image, "image")
    _checks.number(width, "width", "positive")
    names = ("muonring_center_fov_lon", "muonring_center_fov_lat", "muonring_radius")
    longitude, latitude, radius = (np.asarray(circles[name], np.float64) for name in names)
    if not longitude.shape == latitude.shape == radius.shape == (len(image),):
        raise ValueError(f"`circles` should have one circle for each of {len(image)} images. Received: {radius.shape}")
    from_centre = np.hypot(camera.positions[:, 0] - longitude[:, None], camera.positions[:, 1] - latitude[:, None])
    near = np.abs(from_centre - radius[:, None]) < width  # (n, P)
    total = np.sum(image, axis=1, where=near, dtype=np.float64)
    return np.where(np.isfinite(radius), total, np.nan).astype(np.float32)
