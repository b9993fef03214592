"""Camera images of Cherenkov telescopes: cleaning, and the numbers that describe what is left, for thousands at once.

The image of a gamma ray is an elongated patch. A. M. Hillas (Proc. 19th ICRC 3 (1985) 445) described it by the moments
of its light: how bright, where, how long and wide, and in which direction. Definitions, units and names of the columns
are those that ctapipe gives them in the telescope frame (`hillas_fov_lon`, not `hillas_x`), so that code for its files
runs on these as well. Where ctapipe differs, `hillas_parameters` says so.

An image that has no parameters, since it is empty, was cleaned away or holds a charge that is no number, has NaN
instead, and `valid` says so; a batch never fails for one image.

Source: ctapipe 0.28, modules `ctapipe.image.cleaning`, `hillas`, `timing`, `leakage`, `concentration` and `morphology`,
with which `tests/test_hillas.py` compares where it is installed. That pixels are kept as one list over all images, on
which everything is a sum, is our choice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from showertools import _checks, chunks, trimmed_lines
from showertools.camera import Camera, check_images
from showertools.chunks import Events

Float = NDArray[np.float64]
Integer = NDArray[np.intp]
Mask = NDArray[np.bool_]

SMALL_ISLAND = 2
"""Most pixels of a small island."""
LARGE_ISLAND = 50
"""Most pixels of an island that is not yet large."""
_FLAT = 1e-6  # shorter than so many pitches is a length of 0
_ROUNDING = 1e-9
_NO_NUMBER = 1e30  # from here on, what is left of a damaged file or a failed fit: its square would be infinite
_HALF = 3  # of the directions to neighbours: one of each pair of opposite ones


def tailcuts_clean(
    camera: Camera,
    image: ArrayLike,
    picture_thresh: ArrayLike,
    boundary_thresh: ArrayLike,
    min_number_picture_neighbors: int,
    *,
    keep_isolated_pixels: bool = False,
    workers: int | None = None,
) -> Mask:
    """Return which pixels belong to showers, by two thresholds.

    The picture are pixels of at least the higher threshold with enough neighbours of the same. They stay if a neighbour
    reaches at least the lower threshold, and so do those neighbours. ctapipe's function has `keep_isolated_pixels` in
    the fifth place.

    Parameters
    ----------
    camera : Camera
        Of P pixels, in whose order the images are.
    image : array_like
        Charges (n, P) [p.e.]. NaN is never part of a shower.
    picture_thresh, boundary_thresh : float or array_like
        The two thresholds [p.e.], of the camera or of each pixel (P,); the second is not the higher one.
    min_number_picture_neighbors : int
        How many neighbours in the picture a pixel of it needs, at least 0. Without effect on isolated pixels that are
        kept.
    keep_isolated_pixels : bool
        Keep every pixel of at least the higher threshold.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    numpy.ndarray
        (n, P) bool.

    Raises
    ------
    ValueError
        If the images are not those of the camera, or an argument is out of range.

    Examples
    --------
    >>> from showertools import camera, geometry
    >>> flower = camera.Camera("flower", geometry.hexagon(1, 0.05), 28.0)
    >>> tailcuts_clean(flower, [[0, 0, 9, 8, 5, 3, 0]], 8, 4, min_number_picture_neighbors=1)
    array([[False, False,  True,  True,  True, False, False]])
    """
    image = check_images(camera, image, "image")
    picture, boundary = (
        _threshold(camera, value, name, image)
        for value, name in ((picture_thresh, "picture_thresh"), (boundary_thresh, "boundary_thresh"))
    )
    if np.any(np.greater(boundary, picture)):
        raise ValueError(f"`boundary_thresh` should be at most `picture_thresh`. Received: {boundary} and {picture}")
    needed = chunks.check_size(min_number_picture_neighbors, "min_number_picture_neighbors", minimum=0)
    if keep_isolated_pixels:
        needed = 0

    def work(some: slice) -> Events:
        part = image[some]
        bright = part >= boundary
        pixels = _listed(bright)
        is_picture = (part >= picture)[pixels.event, pixels.pixel]
        if needed:
            is_picture &= _neighbours(pixels, is_picture, camera).sum(axis=1) >= needed
        kept = _neighbours(pixels, is_picture, camera).any(axis=1)
        if keep_isolated_pixels:
            kept |= is_picture
        else:
            kept |= is_picture & _neighbours(pixels, np.ones_like(is_picture), camera).any(axis=1)
        bright[pixels.event, pixels.pixel] = kept
        return {"mask": bright}

    return chunks.in_parts(work, len(image), workers)["mask"]


def hillas_parameters(
    camera: Camera,
    image: ArrayLike,
    mask: ArrayLike | None = None,
    peak_time: ArrayLike | None = None,
    *,
    workers: int | None = None,
) -> Events:
    """Return what describes each image: moments, times, leakage, islands and concentration.

    Parameters
    ----------
    camera : Camera
        Of P pixels, in whose order the images are.
    image : array_like
        Charges (n, P) [p.e.].
    mask : array_like, optional
        (n, P) bool, the pixels that count, as `tailcuts_clean` returns it; by default those whose charge is not 0.
    peak_time : array_like, optional
        (n, P) [ns]. Times that are not finite, or of 1e30 ns and more, are left out.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        (n,) each, float32 unless said otherwise; angles in degrees.

        - `valid` (bool): whether there is an axis. It takes charges in the mask that are not negative, below 1e30
          p.e., and above 0 in more than one pixel. Else what is not defined is NaN: all but the numbers and shares of
          pixels, and for light in a single pixel only what needs an axis.
        - `hillas_intensity` [p.e.]; centroid `hillas_fov_lon`, `hillas_fov_lat`, or `hillas_r` and `hillas_phi`;
          `hillas_length` and `hillas_width`, the standard deviations along the axis and across; `hillas_psi`, the
          direction of the axis from the longitude on, above -90 and up to 90; `hillas_skewness` and `hillas_kurtosis`
          (3 for a normal distribution) along the axis.
        - `hillas_length_uncertainty`, `hillas_width_uncertainty`, `hillas_psi_uncertainty` and
          `hillas_transverse_cog_uncertainty`, from the number of photons.
        - with `peak_time`: `timing_slope` [ns/deg] and `timing_intercept` [ns] of the time along the axis, from the
          centroid in the direction of psi, fitted to all but the 15 % of the pixels that fit worst (`trimmed_lines`),
          and `timing_deviation` [ns], the root mean square residual of all of them. NaN for fewer than 2 times.
        - `leakage_pixels_width_1`, `_2`: share of the pixels that lie in the outermost row, or two, of the camera;
          `leakage_intensity_width_1`, `_2`: share of the light.
        - `concentration_cog`: share of the light in pixels whose centre is less than a pitch from the centroid;
          `concentration_core`: in the ellipse of length and width, 0 if the width is; `concentration_pixel`: in the
          brightest pixel.
        - `morphology_n_pixels` (int32), `morphology_n_islands`, groups of connected pixels, and of these
          `morphology_n_small_islands` of 1 or 2 pixels, `morphology_n_medium_islands` of 3 to 50, and
          `morphology_n_large_islands`.

    Raises
    ------
    ValueError
        If the arrays are not those of the camera.

    Notes
    -----
    ctapipe's fit of the times starts from random pairs of pixels, so that its results differ from call to call; it has
    no line for 2 pixels, and keeps 2 of 3. It refuses negative charges.
    """
    image = check_images(camera, image, "image")
    if mask is not None:
        mask = check_images(camera, mask, "mask", len(image))
        if mask.dtype != bool:
            raise ValueError(f"`mask` should be of type bool. Received: {mask.dtype}")
    if peak_time is not None:
        peak_time = check_images(camera, peak_time, "peak_time", len(image))

    def work(some: slice) -> Events:
        part = image[some]
        pixels = _listed(part != 0 if mask is None else mask[some])
        charge = part[pixels.event, pixels.pixel].astype(np.float64)
        n_bad = pixels.total(~((charge >= 0) & (charge < _NO_NUMBER)))
        usable = n_bad == 0
        light = _Light(pixels.some(usable[pixels.event]), charge[usable[pixels.event]])
        ellipse = _ellipse(light, usable, camera)
        found = _hillas(light, ellipse, camera)
        if peak_time is not None:
            found |= _timing(light.pixels, ellipse, peak_time[some])
        found |= _leakage(pixels, light, camera) | _concentration(light, ellipse, camera)
        result = {"valid": ellipse.length > 0}
        with np.errstate(over="ignore"):
            result |= {name: values.astype(np.float32) for name, values in found.items()}
        return result | {name: values.astype(np.int32) for name, values in _morphology(pixels, camera).items()}

    return chunks.in_parts(work, len(image), workers)


class _Pixels(NamedTuple):
    """Pixels of several images in one list, image after image."""

    event: Integer  # (m,)
    pixel: Integer  # (m,)
    n_events: int

    def total(self, values: NDArray[Any]) -> Float:
        """Return the sums of values (m,) in each event, (n,)."""
        return np.bincount(self.event, values, self.n_events).astype(np.float64)

    def some(self, where: Mask) -> _Pixels:
        """Return some of the pixels."""
        return _Pixels(self.event[where], self.pixel[where], self.n_events)

    @property
    def number(self) -> Integer:
        """How many pixels each event has, (n,)."""
        return np.bincount(self.event, minlength=self.n_events)


class _Light(NamedTuple):
    pixels: _Pixels
    charge: Float  # (m,), finite and not negative


class _Ellipse(NamedTuple):
    """What the first and second moments say; NaN where there is no light."""

    intensity: Float  # (n,)
    centroid: Float  # (n, 2)
    length: Float  # (n,)
    width: Float  # (n,)
    psi: Float  # (n,) [rad], NaN where the length is 0
    from_centroid: Float  # (m, 2) of each pixel
    along: Float  # (m,) the same along the axis
    across: Float  # (m,)


def _listed(mask: Mask) -> _Pixels:
    event, pixel = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return _Pixels(event, pixel, len(mask))


def _neighbours(pixels: _Pixels, marked: Mask, camera: Camera) -> Mask:
    """Return which neighbours of each listed pixel are listed and marked, (m, 6)."""
    table = np.zeros((pixels.n_events, camera.n_pixels + 1), bool)  # the last, index -1: no neighbour
    table[pixels.event[marked], pixels.pixel[marked]] = True
    return np.asarray(table[pixels.event[:, None], camera.neighbours[pixels.pixel]])


def _ellipse(light: _Light, usable: Mask, camera: Camera) -> _Ellipse:
    pixels = light.pixels
    intensity = pixels.total(light.charge)
    intensity = np.where(usable & (intensity > 0), intensity, np.nan)
    share = light.charge / intensity[pixels.event]
    place = camera.positions[pixels.pixel]
    centroid = np.stack([_mean(pixels, share, values) for values in place.T], axis=1)
    from_centroid = place - centroid[pixels.event]
    x, y = from_centroid.T
    xx, yy, xy = (_mean(pixels, share, values) for values in (x * x, y * y, x * y))
    half_sum, half_difference = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length, width = (
        np.where(square < (_FLAT * camera.pitch) ** 2, 0.0, np.sqrt(np.maximum(square, 0.0)))
        for square in (half_sum + half_difference, half_sum - half_difference)
    )
    psi = np.where(length == 0, np.nan, np.arctan2(2 * xy, xx - yy) / 2)
    psi = np.where(psi <= -np.pi / 2, np.pi / 2, psi)
    cosine, sine = np.cos(psi)[pixels.event], np.sin(psi)[pixels.event]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return _Ellipse(intensity, centroid, length, width, psi, from_centroid, along, across)


def _mean(pixels: _Pixels, share: Float, values: Float) -> Float:
    """Return the mean of values (m,), weighted by the shares of the light; NaN for events without light."""
    return np.where(pixels.total(share) > 0, pixels.total(share * values), np.nan)


def _hillas(light: _Light, ellipse: _Ellipse, camera: Camera) -> Events:
    longitude, latitude = ellipse.centroid.T
    length, width, intensity = ellipse.length, ellipse.width, ellipse.intensity
    share = light.charge / intensity[light.pixels.event]
    long, wide = (np.where(size > 0, size, np.nan) for size in (length, width))
    along, across = ellipse.along / long[light.pixels.event], ellipse.across / wide[light.pixels.event]
    skewness, kurtosis, kurtosis_across = (
        _mean(light.pixels, share, values) for values in (along**3, along**4, across**4)
    )
    spread_along, spread_across = (np.sqrt(np.maximum(k - 1, 0) / intensity) for k in (kurtosis, kurtosis_across))
    pixel_area = np.sqrt(0.75) * camera.pitch**2
    round_image = 1 + np.tan(width / long * np.pi / 2) ** 2
    return {
        "hillas_intensity": intensity,
        "hillas_fov_lon": longitude,
        "hillas_fov_lat": latitude,
        "hillas_r": np.hypot(longitude, latitude),
        "hillas_phi": np.degrees(np.arctan2(latitude, longitude)),
        "hillas_length": length,
        "hillas_length_uncertainty": long / 2 * spread_along,
        "hillas_width": width,
        "hillas_width_uncertainty": wide / 2 * spread_across,
        "hillas_psi": np.degrees(ellipse.psi),
        "hillas_psi_uncertainty": np.degrees(np.sqrt(pixel_area / intensity) / long * round_image),
        "hillas_transverse_cog_uncertainty": np.where(length > 0, np.sqrt(pixel_area / intensity), np.nan),
        "hillas_skewness": skewness,
        "hillas_kurtosis": kurtosis,
    }


def _timing(pixels: _Pixels, ellipse: _Ellipse, peak_time: NDArray[Any]) -> Events:
    time = peak_time[pixels.event, pixels.pixel].astype(np.float64)
    timed = (np.abs(time) < _NO_NUMBER) & np.isfinite(ellipse.along)
    pixels, along, time = pixels.some(timed), ellipse.along[timed], time[timed]
    slope, intercept = trimmed_lines.fit(along, time, pixels.number)
    residual = time - slope[pixels.event] * along - intercept[pixels.event]
    mean_square = pixels.total(residual**2) / np.maximum(pixels.number, 1)
    deviation = np.where(np.isnan(slope), np.nan, np.sqrt(mean_square))
    return {"timing_slope": slope, "timing_intercept": intercept, "timing_deviation": deviation}


def _leakage(pixels: _Pixels, light: _Light, camera: Camera) -> Events:
    all_light = light.pixels.total(light.charge)
    found = {}
    for width in (1, 2):
        border = camera.border(width)
        found[f"leakage_pixels_width_{width}"] = _share(pixels.total(border[pixels.pixel]), pixels.number)
        leaking = light.pixels.total(light.charge * border[light.pixels.pixel])
        found[f"leakage_intensity_width_{width}"] = _share(leaking, all_light)
    return found


def _concentration(light: _Light, ellipse: _Ellipse, camera: Camera) -> Events:
    pixels, charge = light
    width, length = ellipse.width[pixels.event], ellipse.length[pixels.event]
    near = (ellipse.from_centroid**2).sum(axis=1) < camera.pitch**2 * (1 - _ROUNDING)
    flat = width == 0
    across = ellipse.across / np.where(flat, np.nan, width)
    inside = (ellipse.along / np.where(flat, np.nan, length)) ** 2 + across**2 <= 1 + _ROUNDING
    brightest = np.zeros(pixels.n_events)
    np.maximum.at(brightest, pixels.event, charge)
    return {
        "concentration_cog": pixels.total(charge * near) / ellipse.intensity,
        "concentration_core": pixels.total(charge * inside) / ellipse.intensity,
        "concentration_pixel": brightest / ellipse.intensity,
    }


def _morphology(pixels: _Pixels, camera: Camera) -> Events:
    """Count islands as the connected parts of one graph, whose nodes are the pixels of all events."""
    n_nodes = len(pixels.pixel)
    node = np.full((pixels.n_events, camera.n_pixels + 1), -1, np.int32)
    node[pixels.event, pixels.pixel] = np.arange(n_nodes)
    other = node[pixels.event[:, None], camera.neighbours[pixels.pixel, :_HALF]]  # (m, 3)
    start, direction = np.nonzero(other >= 0)
    graph = sparse.coo_array((np.ones(len(start), bool), (start, other[start, direction])), (n_nodes, n_nodes))
    n_islands, island = sparse.csgraph.connected_components(graph, directed=False)
    size = np.bincount(island, minlength=n_islands)
    event = np.empty(n_islands, int)
    event[island] = pixels.event
    kinds = {"": size > 0, "small_": size <= SMALL_ISLAND, "large_": size > LARGE_ISLAND}
    kinds["medium_"] = ~(kinds["small_"] | kinds["large_"])
    numbers = {name: np.bincount(event[kind], minlength=pixels.n_events) for name, kind in kinds.items()}
    islands = {f"morphology_n_{name}islands": numbers[name] for name in ("", "small_", "medium_", "large_")}
    return {"morphology_n_pixels": pixels.number} | islands


def _share(part: Float, whole: NDArray[Any]) -> Float:
    return np.asarray(part / np.where(whole > 0, whole, np.nan))


def _threshold(camera: Camera, value: ArrayLike, name: str, image: NDArray[Any]) -> Any:
    """Return one threshold, or one a pixel, in the precision of the images."""
    array = _checks.finite(value, name)
    if array.shape not in ((), (camera.n_pixels,)):
        raise ValueError(
            f"`{name}` should be a number, or have the shape ({camera.n_pixels},). Received: shape {array.shape}"
        )
    if not array.ndim:
        return float(array)
    return array.astype(image.dtype) if image.dtype.kind == "f" else array
