"""Small DL1 files in the layouts of ctapipe and lstchain, written with h5py alone.

What is in them can be read off the numbers of event and telescope, so that an event that gets the values of another one
is seen. Tables list the events in different orders, as real files do.
"""

import pickle

import h5py
import numpy as np

LAYOUTS = ("old", "new", "lstchain")
EVENT_ID = np.array([5, 900, 13, 2, 77, 41])
OBS_ID = 7
TELESCOPES = (1, 4)
N_PIXELS = 19
FOCAL_LENGTH = 29.3  # the effective one; the nominal one has 28
NO_HILLAS = 13  # the event without Hillas parameters
FILTER_OF_BLOSC = 32001


class Exploding:
    """Would leave a trace if it was unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def write_table(file, path, columns, *, units=None, style="new", attributes=None, transforms=None, filters="gzip"):
    """Write a table as PyTables does: booleans as bits, names and units as bytes, an empty title, a pickled class."""
    columns = {name: np.asarray(values) for name, values in columns.items()}
    rows = np.empty(len(next(iter(columns.values()))), [_plain(name, values) for name, values in columns.items()])
    kind = h5py.h5t.create(h5py.h5t.COMPOUND, rows.dtype.itemsize)
    for name, values in columns.items():
        rows[name] = values
        base = h5py.h5t.STD_B8LE if values.dtype == bool else h5py.h5t.py_create(values.dtype, logical=False)
        member = h5py.h5t.array_create(base, values.shape[1:]) if values.ndim > 1 else base
        kind.insert(name.encode(), rows.dtype.fields[name][1], member)
    group, _, name = path.rpartition("/")
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if filters:
        properties.set_chunk((max(len(rows), 1),))
        properties.set_shuffle()
        properties.set_deflate(5)
    space = h5py.h5s.create_simple(rows.shape, (h5py.h5s.UNLIMITED,) if filters else None)
    h5py.h5d.create(file.require_group(group or "/").id, name.encode(), kind, space, properties)
    table = file[path]
    if len(rows):
        table[...] = rows
    _describe(table, columns, units or {}, style, attributes or {}, transforms or {})
    return table


def _plain(name, values):
    return name, "u1" if values.dtype == bool else values.dtype, values.shape[1:]


def _describe(table, columns, units, style, attributes, transforms):
    table.attrs["CLASS"] = np.bytes_("TABLE")
    table.attrs["TITLE"] = h5py.Empty("S1")
    if style == "astropy":
        lines = ["datatype:"]
        for name, values in columns.items():
            unit = f"unit: {units[name]}, " if name in units else ""
            lines.append(f"- {{name: {name}, {unit}datatype: {values.dtype.name}}}")
        lines.append(f"meta: {{{', '.join(f'{name}: {value}' for name, value in attributes.items())}}}")
        table.file[f"{table.name}.__table_column_meta__"] = np.array([line.encode() for line in lines])
        return
    for name, value in attributes.items():
        table.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
    for position, name in enumerate(columns):
        prefix = f"CTAFIELD_{position}" if style == "new" else name
        if name in units:
            table.attrs[f"{prefix}_UNIT"] = np.bytes_(units[name])
        if name == "event_type":
            table.attrs[f"{prefix}_ENUM"] = np.void(pickle.dumps(Exploding, 0))
        for key, value in transforms.get(name, {}).items():
            table.attrs[f"{prefix}_{key}"] = np.bytes_(value) if isinstance(value, str) else value


def write_file(path, layout, **changes):
    """Write a whole file: images, parameters, truth, pointing and instrument; `changes` go to the functions below."""
    with h5py.File(path, "w") as file:
        if layout == "lstchain":
            file.attrs["LSTCHAIN_VERSION"] = np.bytes_("0.7.1")
            file.attrs["CTAPIPE_VERSION"] = np.bytes_("0.8.0")
        else:
            file.attrs["CTA PRODUCT DATA MODEL VERSION"] = np.bytes_("v1.0.3" if layout == "old" else "v7.1.0")
            file.attrs["CTA ACTIVITY SOFTWARE VERSION"] = np.bytes_("0.10.5" if layout == "old" else "0.28.0")
        write_instrument(file, layout, **{key: changes.pop(key) for key in ("camera", "optics") if key in changes})
        write_events(file, layout, **changes)
    return path


def positions():
    """x and y of the pixels [m]: a hexagon of two rings."""
    row, column = np.mgrid[-2:3, -2:3].reshape(2, -1)
    inside = np.abs(row + column) <= 2
    row, column = row[inside], column[inside]
    return 0.05 * (column + row / 2), 0.05 * np.sqrt(0.75) * row


def write_instrument(file, layout, *, camera=None, optics=None):
    """Write telescopes, optics and camera: by numbers in new files, by names and with astropy in the others."""
    new = layout == "new"
    style = "new" if new else "astropy"
    x, y = positions()
    place = {"pos_x": np.zeros(2), "pos_y": np.zeros(2), "pos_z": np.zeros(2)}
    telescopes = {"tel_id": np.array(TELESCOPES, "u2"), "name": np.array([b"LST", b"LST"]), **place}
    if new:
        telescopes |= {"camera_name": np.array([b"LSTCam"] * 2), "camera_index": [1, 1], "optics_index": [1, 1]}
    else:
        telescopes |= {"camera_type": np.array([b"LSTCam"] * 2)}
    telescopes["tel_description"] = np.array([b"LST_LST_LSTCam"] * 2)
    metres = dict.fromkeys([*place, "equivalent_focal_length", "effective_focal_length", "pix_x", "pix_y"], "m")
    write_table(file, "configuration/instrument/subarray/layout", telescopes, units=metres, style=style)
    mirrors = {"description": np.array([b"MST_MST_FlashCam", b"LST_LST_LSTCam"]), "name": np.array([b"MST", b"LST"])}
    if new:
        mirrors = {"optics_name": np.array([b"MST", b"LST"]), "effective_focal_length": [16.4, FOCAL_LENGTH]}
    mirrors |= {"equivalent_focal_length": [16.0, 28.0 if new else FOCAL_LENGTH]} | (optics or {})
    write_table(file, "configuration/instrument/telescope/optics", mirrors, units=metres, style=style)
    key = 1 if new else "LSTCam"
    pixels = {"pix_id": np.arange(N_PIXELS), "pix_x": x, "pix_y": y, "pix_area": np.full(N_PIXELS, 0.002)}
    shape = "hexagon" if new else "hexagonal"
    about = {"PIX_TYPE": shape, "CAM_ID": "LSTCam", "PIX_ROT": 100.893, "CAM_ROT": 0.0}
    pixels |= {name: values for name, values in (camera or {}).items() if name in pixels}
    about |= {name: value for name, value in (camera or {}).items() if name in about}
    area = {"pix_area": "m**2" if new else "m2"}
    where = f"configuration/instrument/telescope/camera/geometry_{key}"
    write_table(file, where, pixels, units=metres | area, style=style, attributes=about)
    pulse = {"reference_pulse_shape_channel0": np.ones(4), "reference_pulse_sample_time": np.arange(4.0)}
    where = where.replace("geometry", "readout")
    write_table(file, where, pulse, style=style, attributes={"SAMPFREQ": 1.024, "NCHAN": 2})


def images_of(event_id, tel_id):
    """Images, peak times and masks (n, pixels) of events of a telescope."""
    pixel = np.arange(N_PIXELS)
    number = np.asarray(event_id)[:, None] + 0.25 * tel_id
    return number + 2000.0 * pixel, 20 + pixel / 8 + number % 8, (pixel + np.asarray(event_id)[:, None]) % 3 == 0


def hillas_of(event_id, tel_id):
    """Hillas and timing parameters in the telescope frame, degrees; NaN for one of the events."""
    number = np.asarray(event_id) + 0.25 * tel_id
    longitude, latitude = number % 2 - 1, number % 3 - 1.5
    parameters = {
        "hillas_intensity": 100 + number,
        "hillas_skewness": number % 1.5 - 0.7,
        "hillas_kurtosis": 2 + number % 1.7,
        "hillas_fov_lon": longitude,
        "hillas_fov_lat": latitude,
        "hillas_r": np.hypot(longitude, latitude),
        "hillas_phi": np.degrees(np.arctan2(latitude, longitude)),
        "hillas_length": 0.3 + number / 5000,
        "hillas_width": 0.1 + number / 5000,
        "hillas_psi": number * 7 % 170 - 85,
        "timing_slope": number % 9 - 4.4,
        "timing_intercept": 20 + number % 3,
    }
    return {name: np.where(np.asarray(event_id) == NO_HILLAS, np.nan, values) for name, values in parameters.items()}


def others_of(event_id):
    """Parameters that do not depend on the frame."""
    event_id = np.asarray(event_id)
    islands = np.where(event_id == NO_HILLAS, -1, event_id % 4 + 1)
    return {"leakage_intensity_width_1": np.float32(event_id / 1000), "morphology_n_islands": islands}


def truth_of(event_id):
    """The simulated showers, in the units of the course."""
    event_id = np.asarray(event_id)
    return {
        "true_energy": event_id / 100,
        "true_alt": 70 + event_id / 1000,
        "true_az": 180 - event_id / 10,
        "true_core_x": event_id - 50.0,
        "true_core_y": 3.0 * event_id,
        "true_h_first_int": 20000.0 + event_id,
        "true_x_max": 300.0 + event_id,
        "true_shower_primary_id": np.where(event_id % 2, 101, 0),
    }


TRUTH_UNITS = {
    **dict.fromkeys(("true_core_x", "true_core_y", "true_h_first_int"), "m"),
    "true_energy": "TeV",
    "true_alt": "deg",
    "true_az": "deg",
}


def in_camera_frame(parameters):
    """The same in the camera frame [m]: every point of the sky and its direction seen in the focal plane."""
    metres = np.radians(FOCAL_LENGTH)  # for a degree
    result = dict(parameters)
    result["hillas_x"] = result.pop("hillas_fov_lat") * metres
    result["hillas_y"] = result.pop("hillas_fov_lon") * metres
    for name in ("hillas_r", "hillas_length", "hillas_width"):
        result[name] = result[name] * metres
    result["timing_slope"] = result["timing_slope"] / metres
    result["hillas_phi"] = np.degrees(np.arctan2(result["hillas_y"], result["hillas_x"]))
    # The axis as a vector (longitude, latitude) has the components (y, x) in the camera; its end with x > 0 gives psi.
    psi = np.radians(result["hillas_psi"])
    x, y = np.sin(psi), np.cos(psi)
    end = np.where(x >= 0, 1, -1)
    result["hillas_psi"] = np.degrees(np.arctan2(end * y, end * x))
    for name in ("hillas_skewness", "timing_slope"):
        result[name] = result[name] * end
    return result


def write_events(
    file,
    layout,
    *,
    without=(),
    names=None,
    pixel_columns=None,
    transforms=None,
    image_ids=EVENT_ID,
    parameter_ids=None,
    shower_ids=None,
    units=None,
    frame=None,
    pointing=None,
):
    """Write images, parameters, showers and pointing.

    without : tables to leave out; names : "types" for one table of all telescopes; pixel_columns, pointing : what to do
    with the columns of these tables; units : what to do with the units of parameters; frame : "camera" for metres in
    new files, "early camera" as ctapipe 0.12 wrote them, with zeros in place of NaN.
    """
    by_type = layout == "lstchain" or names == "types"
    parameter_ids = image_ids[::-1] if parameter_ids is None else parameter_ids
    parts = [tuple(TELESCOPES)] if by_type else [(tel_id,) for tel_id in TELESCOPES]
    for telescopes in parts:
        name = {"lstchain": "LST_LSTCam"}.get(layout, "LST_LST_LSTCam") if by_type else f"tel_{telescopes[0]:03d}"
        style = "new" if layout == "new" else "old"
        if "images" not in without:
            columns = _stacked(
                image_ids, telescopes, lambda ids, tel: dict(zip(PIXELS, images_of(ids, tel), strict=True))
            )
            columns |= {"image": np.float32(columns["image"]), "peak_time": np.float32(columns["peak_time"])}
            columns = columns if pixel_columns is None else pixel_columns(columns)
            group = "image" if layout == "lstchain" else "images"
            write_table(file, f"dl1/event/telescope/{group}/{name}", columns, style=style, transforms=transforms)
        if "parameters" not in without:
            columns, known = _parameters(layout, parameter_ids, telescopes, frame)
            known = known if units is None else units(known)
            write_table(file, f"dl1/event/telescope/parameters/{name}", columns, units=known, style=style)
    file.require_group("dl1/event/telescope")
    ids = np.sort(EVENT_ID) if shower_ids is None else shower_ids
    trigger = {"obs_id": np.full(len(ids), OBS_ID, "u8"), "event_id": ids, "event_type": np.full(len(ids), 32)}
    write_table(file, "dl1/event/subarray/trigger", trigger, style=style)
    if layout != "lstchain":
        if "showers" not in without:
            columns = {"obs_id": np.full(len(ids), OBS_ID, "u8"), "event_id": ids} | truth_of(ids)
            units = TRUTH_UNITS | {"true_x_max": "g.cm**-2" if layout == "new" else "cm**-2.g"}
            write_table(file, "simulation/event/subarray/shower", columns, units=units, style=style)
        if "pointing" not in without:
            _write_pointing(file, layout, pointing)


PIXELS = ("image", "peak_time", "image_mask")


def _stacked(event_ids, telescopes, values):
    """Columns of several telescopes: event after event, telescope after telescope."""
    ids, tel_ids = np.repeat(event_ids, len(telescopes)), np.tile(telescopes, len(event_ids))
    keys = {"obs_id": np.full(len(ids), OBS_ID, "u8"), "event_id": ids.astype("u8"), "tel_id": tel_ids.astype("i2")}
    parts = {tel_id: values(ids[tel_ids == tel_id], tel_id) for tel_id in telescopes}
    columns = {}
    for name, first in parts[telescopes[0]].items():
        columns[name] = np.empty((len(ids), *first.shape[1:]), first.dtype)
        for tel_id, part in parts.items():
            columns[name][tel_ids == tel_id] = part[name]
    return keys | columns


def _parameters(layout, event_ids, telescopes, frame):
    columns = _stacked(event_ids, telescopes, lambda ids, tel: hillas_of(ids, tel) | others_of(ids))
    lengths = ("hillas_x", "hillas_y", "hillas_r", "hillas_length", "hillas_width")
    if layout == "new" and frame is None:
        angles = ("hillas_fov_lon", "hillas_fov_lat", "hillas_phi", "hillas_psi", *lengths[2:])
        return columns, dict.fromkeys(angles, "deg") | {"timing_slope": "deg**-1"}
    columns = in_camera_frame(columns)
    units = dict.fromkeys(lengths, "m") | {"hillas_phi": "deg", "hillas_psi": "deg", "timing_slope": "1 / m"}
    if layout == "new":
        if frame == "early camera":
            columns = {name: np.where(np.isnan(values), 0, values) for name, values in columns.items()}
            columns["morphology_num_islands"] = columns.pop("morphology_n_islands")
        columns = {
            f"camera_frame_{name}" if name[:6] in ("hillas", "timing") else name: v for name, v in columns.items()
        }
        return columns, {f"camera_frame_{name}": unit for name, unit in units.items()}
    if layout == "old":
        columns["morphology_num_islands"] = columns.pop("morphology_n_islands")
    if layout == "lstchain":
        return _of_lstchain(columns, event_ids, telescopes)
    return columns, units


def _of_lstchain(columns, event_ids, telescopes):
    """Names and units of lstchain: x, y in metres, length and width in degrees, angles in radians, truth beside."""
    new = {"timing_slope": "time_gradient", "timing_intercept": "intercept", "morphology_n_islands": "n_islands"}
    for name in ("hillas_length", "hillas_width"):
        columns[name] = columns[name] / np.radians(FOCAL_LENGTH)
    truth = truth_of(np.repeat(event_ids, len(telescopes)))
    columns |= {name.replace("true_", "mc_"): values for name, values in truth.items()}
    columns["mc_type"] = columns.pop("mc_shower_primary_id")
    columns |= {"wl": columns["hillas_width"] / columns["hillas_length"]}
    columns |= {"mc_alt_tel": np.full(len(columns["wl"]), 70.0), "mc_az_tel": np.full(len(columns["wl"]), 180.0)}
    columns = {new.get(name, name).replace("hillas_", ""): values for name, values in columns.items()}
    for name in ("phi", "psi", "mc_alt", "mc_az", "mc_alt_tel", "mc_az_tel"):
        columns[name] = np.radians(columns[name])
    units = dict.fromkeys(("x", "y", "r", "mc_core_x", "mc_core_y", "mc_h_first_int"), "m")
    units |= dict.fromkeys(("phi", "psi", "mc_alt", "mc_az", "mc_alt_tel", "mc_az_tel"), "rad")
    return columns, units | {"mc_energy": "TeV", "mc_x_max": "g / cm2", "length": "deg", "width": "deg"}


def _write_pointing(file, layout, change):
    for tel_id in TELESCOPES:
        if layout == "new":
            path = "configuration/telescope/pointing"
            columns = {"obs_id": np.array([3, OBS_ID], "u8"), "tel_id": np.array([tel_id] * 2, "i2")}
            angles = ("telescope_pointing_azimuth", "telescope_pointing_altitude")
            columns |= {angles[0]: np.radians([10.0, 180.0]), angles[1]: np.radians([20.0, 70.0])}
        else:
            path, angles = "dl1/monitoring/telescope/pointing", ("azimuth", "altitude")
            columns = {
                "time": np.arange(2.0),
                angles[0]: np.radians([180.0, 180.0]),
                angles[1]: np.radians([70.0, 70.0]),
            }
        columns = columns if change is None else change(columns)
        style = "new" if layout == "new" else "old"
        write_table(file, f"{path}/tel_{tel_id:03d}", columns, units=dict.fromkeys(angles, "rad"), style=style)


def expected(image_ids=EVENT_ID, *, telescopes=TELESCOPES, together=False):
    """What should be read: telescope after telescope, or, `together`, event after event."""
    if together:
        event_id, tel_id = np.repeat(image_ids, len(telescopes)), np.tile(telescopes, len(image_ids))
    else:
        event_id, tel_id = np.tile(image_ids, len(telescopes)), np.repeat(telescopes, len(image_ids))
    data = {"obs_id": np.full(len(event_id), OBS_ID), "event_id": event_id, "tel_id": tel_id}
    for name, of_all in (("pixels", images_of), ("hillas", hillas_of)):
        parts = {tel: of_all(event_id[tel_id == tel], tel) for tel in telescopes}
        first = parts[telescopes[0]]
        keys = PIXELS if name == "pixels" else list(first)
        for index, key in enumerate(keys):
            which = index if name == "pixels" else key
            data[key] = np.empty((len(event_id), *first[which].shape[1:]), first[which].dtype)
            for tel, part in parts.items():
                data[key][tel_id == tel] = part[which]
    pointing = {"telescope_pointing_altitude": 70.0, "telescope_pointing_azimuth": 180.0}
    data |= {name: np.full(len(event_id), value) for name, value in pointing.items()}
    return data | others_of(event_id) | truth_of(event_id)
