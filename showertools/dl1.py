"""Reads DL1 files of ctapipe and lstchain: images of Cherenkov telescopes, their parameters, and the simulated truth.

What comes out has the names, units and shapes of the simulator's events, whatever version wrote the file, so that code
written for simulated events runs on real files. `dl1_tables` reads the tables, `dl1_camera` describes the camera.

Tables list the same events in different orders, and not all list all of them. So rows are matched by the numbers of
run, event and telescope, and stay in the order of the images.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from showertools import dl1_camera, dl1_tables
from showertools.chunks import Events
from showertools.dl1_camera import StoredCamera, camera
from showertools.dl1_tables import Columns
from showertools.storage import DatasetError, PathLike

__all__ = ["StoredCamera", "about", "camera", "read"]

EVENTS = "dl1/event/telescope"
SHOWERS = "simulation/event/subarray/shower"
POINTING = "configuration/telescope/pointing"
OLD_POINTING = "dl1/monitoring/telescope/pointing"
KEYS = ("obs_id", "event_id", "tel_id")
"""What an image is known by: numbers of run, event and telescope."""

_DTYPES = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float32}
_PIXELS = ("image", "peak_time", "image_mask")
_CAMERA_FRAME = "camera_frame_"
_OF_LSTCHAIN = {
    **{name: f"hillas_{name}" for name in ("intensity", "x", "y", "r", "phi", "psi", "skewness", "kurtosis")},
    **{name: f"hillas_{name}" for name in ("length", "width", "length_uncertainty", "width_uncertainty")},
    "time_gradient": "timing_slope",
    "intercept": "timing_intercept",
    "n_pixels": "morphology_n_pixels",
    "n_islands": "morphology_n_islands",
    "alt_tel": "telescope_pointing_altitude",
    "az_tel": "telescope_pointing_azimuth",
    "mc_type": "true_shower_primary_id",
    **{f"mc_{name}": f"true_{name}" for name in ("energy", "alt", "az", "core_x", "core_y", "h_first_int", "x_max")},
}
"""ctapipe's names of the columns of lstchain."""
_UNITS_OF_LSTCHAIN = {
    **dict.fromkeys(("x", "y", "r", "mc_core_x", "mc_core_y", "mc_h_first_int"), "m"),
    **dict.fromkeys(("phi", "psi", "alt_tel", "az_tel", "mc_alt_tel", "mc_az_tel", "mc_alt", "mc_az"), "rad"),
    **dict.fromkeys(("length", "width", "length_uncertainty", "width_uncertainty"), "deg"),
    "time_gradient": "1/m",
    "mc_energy": "TeV",
    "mc_x_max": "g/cm2",
}
"""Units of these columns where the file has lost them, as it does when pandas writes the table again."""
_TRUTH = {"true_energy": "TeV", "true_alt": "deg", "true_az": "deg", "true_core_x": "m", "true_core_y": "m"}
_TRUTH |= {"true_h_first_int": "m", "true_x_max": "g/cm2", "true_starting_grammage": "g/cm2"}


def read(path: PathLike, *, tel_id: int | None = None, images: bool = True, channel: int | None = None) -> Events:
    """Read the events of a DL1 file.

    Parameters
    ----------
    path : path
        A file that ctapipe (data models 1 to 7) or lstchain wrote.
    tel_id : int, optional
        Only the images of this telescope; by default of all, if their cameras have equally many pixels.
    images : bool
        Whether to read images, times and masks, which take nearly all of the memory.
    channel : int, optional
        Which gain to read where a file has several for each pixel, 0 is the high gain.

    Returns
    -------
    dict of numpy.ndarray
        One entry an image (without images, a row of parameters), in the order of the file. Keys without a table in the
        file are left out:

        - `obs_id`, `event_id`, `tel_id` (n,) int64
        - `image` (n, pixels) float32 [p.e.], `peak_time` (n, pixels) float32 [ns], `image_mask` (n, pixels) bool
        - `true_energy` [TeV], `true_alt`, `true_az` [degrees], `true_core_x`, `true_core_y`, `true_h_first_int` [m],
          `true_x_max`, `true_starting_grammage` [g/cm²] (n,) float32, `true_shower_primary_id` (n,) int64
        - `telescope_pointing_altitude`, `telescope_pointing_azimuth` [degrees] (n,) float32, where the telescope keeps
          one direction in a run, or lstchain stores it for each event
        - parameters by ctapipe's names, (n,) float32, int64 or bool; of lstchain also those that only it has. NaN, -1
          or False where an image has none. Hillas parameters are in degrees in the telescope frame; those that a file
          has in metres are converted with the focal length of `camera`. `leakage_pixels_width_1` and `_2` are shares
          of all pixels in files of older versions (those of 0.19), of the cleaned ones in new files (0.28)

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or something else, has no such telescope or channel, images do not fit the camera, an
        event stands in a table twice, or the truth of some images is missing.
    OSError
        If the file is compressed in a way that needs a package; the message names it.

    Examples
    --------
    >>> events = read("gammas.dl1.h5", tel_id=1)  # doctest: +SKIP
    >>> events["image"].shape  # doctest: +SKIP
    (70, 1855)
    """
    with dl1_tables.opened(path) as file:
        _check_is_dl1(file)
        tables, parameters = _tables(file, "images", "image"), _tables(file, "parameters")
        if not tables and not parameters:
            raise DatasetError(f"{path} holds no events: images or parameters should be in `{EVENTS}`.")
        if tel_id is not None:
            _check_known(tel_id, set().union(*map(_telescopes, (tables or parameters).values())))
            tables, parameters = _with_telescope(tables, tel_id), _with_telescope(parameters, tel_id)
        data = _concatenated(tables or parameters, _in_all(tables, _PIXELS) if images else [])
        data = _of_telescope(data, tel_id)
        data |= {name: _of_channel(name, data[name], channel) for name in _PIXELS if name in data}
        _check_pixels(file, data)
        if parameters:
            data |= _parameters(file, parameters, data)
        data |= _truth(file, data)
        data |= _pointing(file, data)
        return {name: values.astype(_DTYPES[values.dtype.kind], copy=False) for name, values in data.items()}


def about(path: PathLike) -> dict[str, Any]:
    """Return what a file is and holds, without reading events.

    Returns
    -------
    dict
        `data_model`, `ctapipe`, `lstchain`: versions as text, empty where the file names none; `telescopes`: a dict of
        their names by their numbers, empty if the file has none that can be read; `tables`: a dict of numbers of rows
        by the paths of the tables; `missing_filters`: compressions that need `pip install hdf5plugin`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged or something else.
    """
    with dl1_tables.opened(path) as file:
        _check_is_dl1(file)
        tables = dl1_tables.all_tables(file)
        nodes = [file, *tables.values()]
        missing = {name for table in tables.values() for name in dl1_tables.missing_filters(table)}
        layout = tables.get(dl1_camera.LAYOUT)
        readable = layout is not None and not dl1_tables.missing_filters(layout)
        return {
            "data_model": _first(nodes, "CTA PRODUCT DATA MODEL VERSION"),
            "ctapipe": _first(nodes, "CTA ACTIVITY SOFTWARE VERSION") or _first(nodes, "CTAPIPE_VERSION"),
            "lstchain": _first(nodes, "LSTCHAIN_VERSION"),
            "telescopes": dl1_camera.telescopes(file) if readable else {},
            "tables": {name: len(table) for name, table in tables.items()},
            "missing_filters": sorted(missing),
        }


def _first(nodes: Iterable[Any], name: str) -> str:
    """Return an attribute of the first node that has it, as text."""
    return next(filter(None, (dl1_tables.text(dl1_tables.raw_attribute(node, name)) for node in nodes)), "")


def _check_is_dl1(file: h5py.File) -> None:
    if not isinstance(dl1_tables.find(file, EVENTS), h5py.Group):
        raise DatasetError(
            f"`path` should be a DL1 file of ctapipe or lstchain. Received: {file.filename}, an HDF5 file without "
            f"`{EVENTS}`"
        )


def _tables(file: h5py.File, *groups: str) -> dict[str, h5py.Dataset]:
    """Return the tables of the first group that has any, by name: one for each telescope, or for each type."""
    return next(filter(None, (dl1_tables.tables_of(file, f"{EVENTS}/{group}") for group in groups)), {})


def _telescope_of(table: h5py.Dataset) -> int | None:
    """Return the telescope of a table by its name, such as tel_001; None for tables of a type, such as LST_LSTCam."""
    found = re.search(r"/tel_(\d+)$", table.name)
    return int(found.group(1)) if found else None


def _telescopes(table: h5py.Dataset) -> set[int]:
    """Return the telescopes that a table is about."""
    number = _telescope_of(table)
    return {number} if number is not None else set(dl1_tables.read(table, ["tel_id"])["tel_id"].tolist())


def _with_telescope(tables: dict[str, h5py.Dataset], tel_id: int) -> dict[str, h5py.Dataset]:
    return {name: table for name, table in tables.items() if tel_id in _telescopes(table)}


def _check_known(tel_id: Any, known: Iterable[int]) -> None:
    if not isinstance(tel_id, Integral) or isinstance(tel_id, bool) or tel_id not in set(known):
        raise DatasetError(f"`tel_id` should be one of {sorted(known)}. Received: {tel_id!r}")


def _in_all(tables: dict[str, h5py.Dataset], columns: Iterable[str]) -> list[str]:
    """Return those columns that all of the tables have; none if there is no table."""
    return [name for name in columns if tables and all(name in dl1_tables.names(table) for table in tables.values())]


def _concatenated(tables: dict[str, h5py.Dataset], columns: Sequence[str]) -> Columns:
    """Return keys and columns of all tables, each in the unit that the course has for it."""
    parts = [_with_keys(table, columns) for table in tables.values()]
    for name in columns:
        sizes = [part[name].shape[1:] for part in parts]
        if len(set(sizes)) > 1:
            raise DatasetError(
                f"`tel_id` should be given: `{name}` has different shapes in {', '.join(tables)}. Received: {sizes}"
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in (*KEYS, *columns)}


def _of_telescope(data: Columns, tel_id: int | None) -> Columns:
    """Return the rows of a telescope, by default all."""
    here = data["tel_id"] == tel_id
    return data if tel_id is None or np.all(here) else {name: values[here] for name, values in data.items()}


def _with_keys(table: h5py.Dataset, columns: Sequence[str]) -> Columns:
    """Return columns of a table after its keys; its telescope may stand in its name alone."""
    tel_id = _telescope_of(table)
    keys = [key for key in KEYS if key != "tel_id" or tel_id is None or key in dl1_tables.names(table)]
    part = dl1_tables.read(table, [*keys, *columns])
    if "tel_id" not in part:
        part["tel_id"] = np.full(len(part["obs_id"]), tel_id)
    part |= {key: part[key].astype(np.int64) for key in KEYS}
    dl1_tables.check_unique([part[key] for key in KEYS], table)
    return part | {name: _in_course_units(table, name, part[name])[0] for name in columns}


def _in_course_units(table: h5py.Dataset, name: str, values: NDArray[Any]) -> tuple[NDArray[Any], str]:
    return dl1_tables.in_course_units(table, name, values, _UNITS_OF_LSTCHAIN.get(name, ""))


def _of_channel(name: str, values: NDArray[Any], channel: int | None) -> NDArray[Any]:
    """Return pixels (n, pixels) of (n, pixels) or (n, channels, pixels), in their types."""
    if values.dtype.kind not in "biuf" or values.ndim not in (2, 3):
        raise DatasetError(
            f"`{name}` should be numbers (n, pixels) or (n, channels, pixels). Received: {values.dtype}, {values.shape}"
        )
    if values.ndim == 3:
        n_channels = values.shape[1]
        channel = 0 if n_channels == 1 else channel
        if not isinstance(channel, Integral) or isinstance(channel, bool) or not 0 <= channel < n_channels:
            raise DatasetError(
                f"`channel` should be from 0 to {n_channels - 1}, for the file has values of each gain: `{name}` has "
                f"the shape {values.shape}. Received: {channel!r}"
            )
        values = values[:, int(channel)]
    return np.asarray(values != 0) if name == "image_mask" else values.astype(np.float32, copy=False)


def _check_pixels(file: h5py.File, data: Columns) -> None:
    """Raise `DatasetError` if images do not fit the camera that the file describes, or each other."""
    widths = {name: data[name].shape[1] for name in _PIXELS if name in data}
    if not widths:
        return
    layout = dl1_tables.find_table(file, dl1_camera.LAYOUT)
    described = layout is not None and not dl1_tables.missing_filters(layout)
    for tel_id in np.unique(data["tel_id"]).tolist() if described else ():
        widths[f"camera of telescope {tel_id}"] = len(dl1_camera.stored(file, tel_id).area)
    if len(set(widths.values())) > 1:
        raise DatasetError(f"{file.filename} should have equally many pixels in images and camera. Received: {widths}")


def _parameters(file: h5py.File, tables: dict[str, h5py.Dataset], data: Columns) -> Columns:
    """Return the parameters of the images under ctapipe's names, in the telescope frame."""
    first = next(iter(tables.values()))
    columns = _in_all(tables, _numbers_of(first))
    units = {name: {_in_course_units(table, name, np.ones(1))[1] for table in tables.values()} for name in columns}
    several = {name: sorted(found) for name, found in units.items() if len(found) > 1}
    if several:
        raise DatasetError(f"{file.filename} should have one unit for each parameter. Received: {several}")
    stored = _concatenated(tables, columns)
    row = dl1_tables.matching_rows([data[key] for key in KEYS], [stored[key] for key in KEYS], first)
    renamed = {name: _ctapipe_name(name, columns) for name in columns}
    result = {renamed[name]: dl1_tables.take(stored[name], row) for name in columns}
    if any(name.startswith("true_") for name in result):
        _check_complete(first, row, data)
    if "hillas_x" in result:
        focal_length = np.full(len(row), np.nan)
        for tel_id in np.unique(data["tel_id"]).tolist():
            focal_length[data["tel_id"] == tel_id] = dl1_camera.stored(file, tel_id).focal_length
        result = dl1_camera.in_telescope_frame(
            result, {renamed[name]: unit for name, (unit,) in units.items()}, focal_length
        )
    if "hillas_intensity" in result:  # 0 is what some versions write where nothing was left of an image
        empty = result["hillas_intensity"] == 0
        for name in (name for name in result if name.startswith(("hillas_", "timing_"))):
            result[name] = np.where(empty, np.nan, result[name])
    return {name: values for name, values in result.items() if name not in _PIXELS}


def _numbers_of(table: h5py.Dataset) -> list[str]:
    """Return the columns of a table that hold one number or boolean for each row, without its keys."""
    kinds = {name: table.dtype[name] for name in dl1_tables.names(table)}
    return [name for name, kind in kinds.items() if kind.kind in "biuf" and name not in KEYS]


def _ctapipe_name(name: str, columns: Sequence[str]) -> str:
    """Return the name that the newest ctapipe has for a column of a table with these columns."""
    if {"hillas_intensity", f"{_CAMERA_FRAME}hillas_intensity"} & set(columns):
        return name.removeprefix(_CAMERA_FRAME).replace("morphology_num_", "morphology_n_")
    plain = name.removeprefix("mc_")  # older files have only the simulated direction of the telescope
    return _OF_LSTCHAIN.get(name, name if plain in columns else _OF_LSTCHAIN.get(plain, name))


def _truth(file: h5py.File, data: Columns) -> Columns:
    """Return what is known of the simulated shower of each image; nothing for observed events."""
    table = dl1_tables.find_table(file, SHOWERS)
    if table is None:
        return {}
    columns = {name: _OF_LSTCHAIN.get(name, name) for name in _numbers_of(table) if name.startswith(("true_", "mc_"))}
    showers = dl1_tables.read(table, [*KEYS[:2], *columns])
    keys = [showers[key].astype(np.int64) for key in KEYS[:2]]
    row = dl1_tables.matching_rows([data[key] for key in KEYS[:2]], keys, table)
    _check_complete(table, row, data)
    return {
        new: dl1_tables.in_unit(table, old, showers[old][row], _TRUTH.get(new, ""))
        if new in _TRUTH
        else showers[old][row]
        for old, new in columns.items()
    }


def _check_complete(table: h5py.Dataset, row: NDArray[np.intp], data: Columns) -> None:
    """Raise `DatasetError` if a table of the truth has no row for an image."""
    if np.any(row < 0):
        first = int(np.argmax(row < 0))
        raise DatasetError(
            f"{table.name.lstrip('/')} of {table.file.filename} should have a row for each image. Received: none for "
            f"{np.count_nonzero(row < 0)} of {len(row)}, such as obs_id {data['obs_id'][first]}, "
            f"event_id {data['event_id'][first]}"
        )


def _pointing(file: h5py.File, data: Columns) -> Columns:
    """Return where the telescopes pointed, if that is stored once a run; nothing if not for all of the images."""
    result = {f"telescope_pointing_{name}": np.full(len(data["obs_id"]), np.nan) for name in ("altitude", "azimuth")}
    if set(result) <= set(data):
        return {}
    for tel_id in np.unique(data["tel_id"]).tolist():
        here = data["tel_id"] == tel_id
        table = dl1_tables.find_table(file, f"{POINTING}/tel_{tel_id:03d}")
        old = dl1_tables.find_table(file, f"{OLD_POINTING}/tel_{tel_id:03d}")
        for name, values in result.items():
            if table is not None:
                stored = dl1_tables.read(table, ["obs_id", name])
                angle = dl1_tables.in_unit(table, name, stored[name], "deg")
                row = dl1_tables.matching_rows([data["obs_id"][here]], [stored["obs_id"].astype(np.int64)], table)
                values[here] = dl1_tables.take(angle, row)
            elif old is not None and len(old):
                column = name.rpartition("_")[2]
                angle = dl1_tables.in_unit(old, column, dl1_tables.read(old, [column])[column], "deg")
                values[here] = angle[0] if np.all(angle == angle[0]) else np.nan
    return result if all(np.all(np.isfinite(values)) for values in result.values()) else {}
