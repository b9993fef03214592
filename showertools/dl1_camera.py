"""The camera that a file of ctapipe or lstchain describes, and Hillas parameters seen on the sky.

There are two frames. In the camera frame, x and y [m] lie in the focal plane: x points north and y west where the
telescope is turned north and then up to the zenith. In the telescope frame, longitude and latitude [degrees] are angles
to the direction in which the telescope points: longitude is y / focal length, latitude x / focal length. So the two
axes change places, and angles are mirrored: an image whose axis lies at psi in the camera has it at 90° − psi there.

Source: `ctapipe.coordinates.CameraFrame` and `TelescopeFrame`, https://ctapipe.readthedocs.io.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from showertools import dl1_tables
from showertools.dl1_tables import Columns
from showertools.storage import DatasetError, PathLike

Float = NDArray[np.float64]

LAYOUT = "configuration/instrument/subarray/layout"
OPTICS = "configuration/instrument/telescope/optics"
CAMERAS = "configuration/instrument/telescope/camera"

_SHAPES = {"hexagonal": "hexagon", "rectangular": "square"}  # old names
_LENGTHS = ("r", "length", "length_uncertainty", "width", "width_uncertainty", "transverse_cog_uncertainty")


class StoredCamera(NamedTuple):
    """A camera as a file describes it; neighbours are not stored, they follow from the positions.

    Attributes
    ----------
    name : str
        Such as "LSTCam".
    position : numpy.ndarray
        (pixels, 2) x and y of the pixels in the camera frame [m], in the order of the images.
    direction : numpy.ndarray
        (pixels, 2) the same in the telescope frame, longitude and latitude [degrees].
    area : numpy.ndarray
        (pixels,) [m²].
    pixel_shape : str
        "hexagon", "square" or "circle".
    pixel_rotation : float
        Angle of the pixels in the camera frame [degrees].
    focal_length : float
        The effective one where the file has it, else the nominal one [m].
    sampling_frequency : float
        Of the readout [GHz]; NaN where the file has none.
    """

    name: str
    position: Float
    direction: Float
    area: Float
    pixel_shape: str
    pixel_rotation: float
    focal_length: float
    sampling_frequency: float


def camera(path: PathLike, tel_id: int) -> StoredCamera:
    """Return the camera of a telescope.

    Parameters
    ----------
    path : path
        A file of ctapipe or lstchain.
    tel_id : int
        Number of the telescope.

    Returns
    -------
    StoredCamera
        Positions are those of a camera that is not rotated, as ctapipe gives them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has no such telescope or does not describe its camera, or is damaged or something else.
    OSError
        If the file is compressed in a way that needs a package; the message names it.

    Examples
    --------
    >>> camera("gammas.dl1.h5", 1).focal_length  # doctest: +SKIP
    29.30565
    """
    with dl1_tables.opened(path) as file:
        return stored(file, tel_id)


def telescopes(file: h5py.File) -> dict[int, str]:
    """Return the telescopes of an opened file: their names by their numbers; none if it has no layout."""
    layout = dl1_tables.find_table(file, LAYOUT)
    if layout is None:
        return {}
    known = [name for name in ("tel_description", "name") if name in dl1_tables.names(layout)]
    columns = dl1_tables.read(layout, ["tel_id", *known[:1]])
    labels = columns[known[0]].tolist() if known else [""] * len(columns["tel_id"])
    return {int(tel_id): dl1_tables.text(label) for tel_id, label in zip(columns["tel_id"], labels, strict=True)}


def stored(file: h5py.File, tel_id: int) -> StoredCamera:
    """Return the camera of a telescope of an opened file; see `camera`."""
    known = telescopes(file)
    if not known:
        raise DatasetError(f"{file.filename} does not describe its telescopes: `{LAYOUT}` should be in it.")
    if not isinstance(tel_id, Integral) or isinstance(tel_id, bool) or tel_id not in known:
        raise DatasetError(f"`tel_id` should be one of {sorted(known)}. Received: {tel_id!r}")
    layout = _row(file, LAYOUT, list(known).index(tel_id))
    # By their names in model 1, by numbers since model 2.
    key = layout["camera_index" if "camera_index" in layout else "camera_type"]
    geometry = _table(file, f"{CAMERAS}/geometry_{key}")
    focal_length = _focal_length(file, layout)
    position, area = _pixels(geometry)
    rotation = dl1_tables.number(geometry, "PIX_ROT")
    camera_rotation = np.radians(dl1_tables.number(geometry, "CAM_ROT"))
    cosine, sine = np.cos(camera_rotation), np.sin(camera_rotation)
    position = position @ np.array([[cosine, -sine], [sine, cosine]])
    readout = dl1_tables.find_table(file, f"{CAMERAS}/readout_{key}")
    shape = dl1_tables.attribute(geometry, "PIX_TYPE")
    return StoredCamera(
        name=dl1_tables.attribute(geometry, "CAM_ID") or str(key),
        position=position,
        direction=np.degrees(position[:, ::-1] / focal_length),
        area=area,
        pixel_shape=_SHAPES.get(shape, shape),
        pixel_rotation=rotation - float(np.degrees(camera_rotation)),
        focal_length=focal_length,
        sampling_frequency=float("nan") if readout is None else dl1_tables.number(readout, "SAMPFREQ"),
    )


def in_telescope_frame(columns: Columns, units: dict[str, str], focal_length: Float) -> Columns:
    """Return Hillas and timing parameters in the telescope frame.

    Parameters
    ----------
    columns : dict of numpy.ndarray
        (n,) each; `hillas_x` and `hillas_y` [m] say that they are in the camera frame, else they are returned as they
        are. Others may be missing.
    units : dict of str
        Units of the columns; lengths may be in metres or in degrees.
    focal_length : numpy.ndarray
        (n,) [m].

    Returns
    -------
    dict of numpy.ndarray
        With `hillas_fov_lon` and `hillas_fov_lat` in place of x and y, lengths in degrees and the slope per degree.
        `hillas_psi` lies in (−90°, 90°]: where that turns the axis round, skewness and slope change their signs.
    """
    if not {"hillas_x", "hillas_y"} <= set(columns):
        return columns
    degrees = np.degrees(1 / focal_length)  # that one metre is
    result = dict(columns)
    x, y = result.pop("hillas_x"), result.pop("hillas_y")
    result["hillas_fov_lon"], result["hillas_fov_lat"] = y * degrees, x * degrees
    for name in (f"hillas_{length}" for length in _LENGTHS):
        if units.get(name) == "m":
            result[name] = result[name] * degrees
    if units.get("timing_slope") == "1/m":
        result["timing_slope"] = result["timing_slope"] / degrees
    if "hillas_phi" in result:
        result["hillas_phi"] = np.degrees(np.arctan2(x, y))
    if "hillas_psi" in result:
        psi = (90 - result["hillas_psi"]) % 360
        turned = (psi > 90) & (psi <= 270)
        result["hillas_psi"] = np.where(turned, psi - 180, np.where(psi > 270, psi - 360, psi))
        for name in {"hillas_skewness", "timing_slope"} & set(result):
            result[name] = np.where(turned, -result[name], result[name])
    return result


def _table(file: h5py.File, path: str) -> h5py.Dataset:
    table = dl1_tables.find_table(file, path)
    if table is None:
        raise DatasetError(f"{file.filename} does not describe the camera: `{path}` should be in it.")
    return table


def _row(file: h5py.File, path: str, row: int) -> dict[str, Any]:
    """Return a row of a table: text decoded, lengths in metres."""
    table = _table(file, path)
    values = {}
    for name, column in dl1_tables.read(table, dl1_tables.names(table)).items():
        if not 0 <= row < len(column):
            raise DatasetError(
                f"{file.filename} is damaged: `{path}` should have a row {row}. Received: {len(column)} rows"
            )
        if "focal_length" in name:
            column = dl1_tables.in_unit(table, name, column, "m")
        values[name] = dl1_tables.text(column[row].item()) if column.dtype.kind in "SO" else column[row]
    return values


def _focal_length(file: h5py.File, layout: dict[str, Any]) -> float:
    """Return the focal length of a telescope, given its row of the layout."""
    optics = _table(file, OPTICS)
    row = int(layout["optics_index"]) if "optics_index" in layout else _optics_row(optics, layout)
    lengths = _row(file, OPTICS, row)
    for name in ("effective_focal_length", "equivalent_focal_length"):
        if float(lengths.get(name, np.nan)) > 0:
            return float(lengths[name])
    raise DatasetError(f"{file.filename} does not describe the optics: `{OPTICS}` should hold a focal length.")


def _optics_row(optics: h5py.Dataset, layout: dict[str, Any]) -> int:
    """Return the row of a telescope among the optics by its name, as model 1 has it."""
    for name, key in (("description", "tel_description"), ("name", "name")):
        if name in dl1_tables.names(optics) and key in layout:
            known = [dl1_tables.text(label) for label in dl1_tables.read(optics, [name])[name].tolist()]
            if layout[key] in known:
                return known.index(layout[key])
    raise DatasetError(f"{optics.file.filename} does not describe the optics of `{layout.get('name', '')}`.")


def _pixels(geometry: h5py.Dataset) -> tuple[Float, Float]:
    """Return positions (pixels, 2) and areas of the pixels, checked."""
    columns = dl1_tables.read(geometry, ["pix_id", "pix_x", "pix_y", "pix_area"])
    if not np.array_equal(columns["pix_id"], np.arange(len(columns["pix_id"]))):
        raise DatasetError(
            f"{geometry.name.lstrip('/')} of {geometry.file.filename} should have its pixels in the order of the "
            "images: `pix_id` should count from 0."
        )
    x, y = (dl1_tables.in_unit(geometry, name, columns[name], "m") for name in ("pix_x", "pix_y"))
    area = dl1_tables.in_unit(geometry, "pix_area", columns["pix_area"], "m2")
    position = np.stack([x, y], axis=1).astype(np.float64)
    if not np.all(np.isfinite(position)):
        raise DatasetError(f"{geometry.name.lstrip('/')} of {geometry.file.filename} should have finite positions.")
    return position, area.astype(np.float64)
