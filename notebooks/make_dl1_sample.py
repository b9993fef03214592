"""Make `data/showers.dl1.h5`: simulated events in the layout of ctapipe's DL1 files, for lesson 41.

    python notebooks/make_dl1_sample.py

takes seconds. The events are those of `showertools.cherenkov`: gamma rays in one run, protons in the next. The layout
is that of ctapipe's data model 7: tables of records as PyTables writes them, units in attributes, charges and times as
whole numbers. Pixels are numbered from the middle of the camera outwards, not as in `camera.lst`; numbers of events
begin anew in each run; no two tables list the events in the same order. It is compressed with gzip, which h5py reads.
"""

import argparse
from pathlib import Path

import h5py
import numpy as np

from showertools import cherenkov, hillas
from showertools.camera import Camera

TARGET = Path(__file__).resolve().parents[1] / "data" / "showers.dl1.h5"
TEL_ID = 1
GAMMA_RUN, PROTON_RUN = 1, 2
NAME = b"LST_LST_LSTCam"
PIXELS = {"image": (10, 200), "peak_time": (100, 200)}  # stored is the value times the first, plus the second
CLEANING = {"picture_thresh": 8, "boundary_thresh": 4, "min_number_picture_neighbors": 2}
UNITS = {
    **dict.fromkeys(
        ("true_core_x", "true_core_y", "true_h_first_int", "pix_x", "pix_y", "pos_x", "pos_y", "pos_z"), "m"
    ),
    **dict.fromkeys(("equivalent_focal_length", "effective_focal_length"), "m"),
    **dict.fromkeys(("true_alt", "true_az"), "deg"),
    **dict.fromkeys(("telescope_pointing_altitude", "telescope_pointing_azimuth"), "rad"),
    "true_energy": "TeV",
    "pix_area": "m**2",
    "timing_slope": "deg**-1",
}
ANGLES = ("fov_lon", "fov_lat", "r", "phi", "psi", "length", "width")
UNITS |= {f"hillas_{name}{end}": "deg" for name in ANGLES for end in ("", "_uncertainty")}
UNITS["hillas_transverse_cog_uncertainty"] = "deg"


def simulate(n_gammas: int, n_protons: int, seed: int) -> dict[str, np.ndarray]:
    """Return triggered events: images (n, pixels) and truth (n,), with the numbers of run, event and telescope."""
    model = cherenkov.TelescopeModel(impact_radius=200.0, source_radius=0.0)
    parts = []
    for run, particle, wanted in ((GAMMA_RUN, "gamma", n_gammas), (PROTON_RUN, "proton", n_protons)):
        events = cherenkov.simulate(100 * wanted, seed=seed + run, particle=particle, model=model)
        seen = np.flatnonzero(events["triggered"][:, 0])[:wanted]
        part = {name: values[seen, 0] for name, values in events.items() if values.ndim > 1}
        part |= {name: values[seen] for name, values in events.items() if values.ndim == 1}
        keys = {"obs_id": np.full(len(seen), run), "event_id": 1 + np.arange(len(seen)), "tel_id": [TEL_ID] * len(seen)}
        parts.append({name: np.asarray(values, np.int64) for name, values in keys.items()} | part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write(path: Path, events: dict[str, np.ndarray], camera: Camera, rng: np.random.Generator) -> None:
    """Write the file; each table lists the events in an order of its own."""
    from_middle = np.argsort(np.hypot(*camera.positions.T), kind="stable")
    stored = {name: _fixed_point(events[name], *of_pixels) for name, of_pixels in PIXELS.items()}
    image, peak_time = (_read_again(stored[name], *of_pixels) for name, of_pixels in PIXELS.items())
    mask = hillas.tailcuts_clean(camera, image, **CLEANING)
    parameters = hillas.hillas_parameters(camera, image, mask, peak_time)
    del parameters["valid"]
    truth = {name: events[name] for name in sorted(events) if name.startswith("true_")}
    del truth["true_image_sum"], truth["true_impact_distance"]
    keys = {"obs_id": events["obs_id"].astype("u8"), "event_id": events["event_id"].astype("u8")}
    with_telescope = keys | {"tel_id": events["tel_id"].astype("i2")}

    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["CTA PRODUCT DATA MODEL NAME"] = np.bytes_("ASWG")
        file.attrs["CTA PRODUCT DATA MODEL VERSION"] = np.bytes_("v7.1.0")
        file.attrs["CTA ACTIVITY SOFTWARE NAME"] = np.bytes_("showertools")
        pixels = {name: values[:, from_middle] for name, values in (stored | {"image_mask": mask}).items()}
        for where, columns in {
            f"dl1/event/telescope/images/tel_{TEL_ID:03d}": with_telescope | pixels,
            f"dl1/event/telescope/parameters/tel_{TEL_ID:03d}": with_telescope | parameters,
            "simulation/event/subarray/shower": keys | truth,
            "dl1/event/subarray/trigger": keys | {"event_type": np.full(len(mask), 32, "i8")},
        }.items():
            order = rng.permutation(len(mask))
            write_table(file, where, {name: values[order] for name, values in columns.items()})
        _write_instrument(file, camera, from_middle)
        runs = np.unique(events["obs_id"])
        pointing = {"obs_id": runs.astype("u8"), "tel_id": np.full(len(runs), TEL_ID, "i2")}
        for name in ("telescope_pointing_altitude", "telescope_pointing_azimuth"):
            pointing[name] = np.full(len(runs), np.radians(events[name][0].astype(float)))
        write_table(file, f"configuration/telescope/pointing/tel_{TEL_ID:03d}", pointing)


def _fixed_point(values: np.ndarray, scale: int, offset: int) -> np.ndarray:
    stored = np.rint(values * scale) + offset
    if stored.min() < 0 or stored.max() > np.iinfo("u2").max:
        raise ValueError(f"`values` should fit into 16 bits. Received: {values.min():g} to {values.max():g}")
    return stored.astype("u2")


def _read_again(stored: np.ndarray, scale: int, offset: int) -> np.ndarray:
    return ((stored - np.float64(offset)) / scale).astype(np.float32)


def _write_instrument(file: h5py.File, camera: Camera, order: np.ndarray) -> None:
    """Describe telescope, mirror and camera; ctapipe's camera frame has its y along the longitude."""
    columns = {"tel_id": np.array([TEL_ID], "u2"), "name": np.array([b"LST"]), "camera_name": np.array([b"LSTCam"])}
    columns |= {"camera_index": np.zeros(1, "i8"), "optics_index": np.zeros(1, "i8")}
    columns |= {name: np.zeros(1) for name in ("pos_x", "pos_y", "pos_z")} | {"tel_description": np.array([NAME])}
    write_table(file, "configuration/instrument/subarray/layout", columns)
    mirrors = {"optics_name": np.array([b"LST"]), "equivalent_focal_length": np.array([28.0])}
    mirrors["effective_focal_length"] = np.array([camera.focal_length])
    write_table(file, "configuration/instrument/telescope/optics", mirrors)
    y, x = np.radians(camera.positions[order]).T * camera.focal_length
    area = np.full(len(x), np.sqrt(0.75) * camera.layout.spacing**2)
    pixels = {"pix_id": np.arange(len(x)), "pix_x": x, "pix_y": y, "pix_area": area}
    where = "configuration/instrument/telescope/camera/geometry_0"
    about = {"CAM_ID": "LSTCam", "PIX_TYPE": "hexagon", "PIX_ROT": 0.0, "CAM_ROT": 0.0}
    write_table(file, where, pixels, about)
    pulse = {"reference_pulse_sample_time": np.arange(2.0), "reference_pulse_shape_channel0": np.ones(2)}
    write_table(file, where.replace("geometry", "readout"), pulse, {"SAMPFREQ": 1.0, "NCHAN": 1})


def write_table(file: h5py.File, path: str, columns: dict[str, np.ndarray], about: dict | None = None) -> None:
    """Write a table as PyTables does: booleans as bits, names and units as bytes in attributes."""
    plain = [
        (name, "u1" if values.dtype == bool else values.dtype, values.shape[1:]) for name, values in columns.items()
    ]
    rows = np.empty(len(next(iter(columns.values()))), plain)
    kind = h5py.h5t.create(h5py.h5t.COMPOUND, rows.dtype.itemsize)
    for name, values in columns.items():
        rows[name] = values
        base = h5py.h5t.STD_B8LE if values.dtype == bool else h5py.h5t.py_create(values.dtype, logical=False)
        member = h5py.h5t.array_create(base, values.shape[1:]) if values.ndim > 1 else base
        kind.insert(name.encode(), rows.dtype.fields[name][1], member)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((len(rows),))
    properties.set_shuffle()
    properties.set_deflate(9)
    properties.set_obj_track_times(False)  # so that the same events give the same file
    group, _, name = path.rpartition("/")
    space = h5py.h5s.create_simple(rows.shape, (h5py.h5s.UNLIMITED,))
    h5py.h5d.create(file.require_group(group).id, name.encode(), kind, space, properties)
    table = file[path]
    table[...] = rows
    attributes = {"CLASS": "TABLE", "VERSION": "2.7", "TITLE": "", **(about or {})}
    for position, name in enumerate(columns):
        attributes[f"FIELD_{position}_NAME"] = name
        if name in UNITS:
            attributes[f"CTAFIELD_{position}_UNIT"] = UNITS[name]
        if name in PIXELS:
            scale, offset = PIXELS[name]
            transform = {"SCALE": float(scale), "OFFSET": offset, "DTYPE": "float32"}
            attributes |= {f"CTAFIELD_{position}_TRANSFORM_{what}": value for what, value in transform.items()}
    for name, value in attributes.items():
        table.attrs[name] = (np.bytes_(value) if value else h5py.Empty("S1")) if isinstance(value, str) else value


def make(path: Path, n_gammas: int, n_protons: int, seed: int) -> None:
    """Simulate the events, write the file and say what it holds."""
    events = simulate(n_gammas, n_protons, seed)
    write(path, events, cherenkov.TelescopeModel().camera, np.random.default_rng(seed))
    runs, numbers = np.unique(events["obs_id"], return_counts=True)
    for run, number in zip(runs, numbers, strict=True):
        print(f"run {run}: {number} images")
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gammas", type=int, default=80)
    parser.add_argument("--protons", type=int, default=60)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    make(options.out, options.gammas, options.protons, options.seed)
