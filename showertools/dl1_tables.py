"""Tables in the files of ctapipe and lstchain, read with h5py: columns with their units, and rows that belong together.

A table is an HDF5 data set of records, as PyTables writes them. What a column means stands in attributes of the table,
in three generations: `<column>_UNIT` (ctapipe before 0.17), `CTAFIELD_<position>_UNIT` (after), and, for tables that
astropy wrote, text in YAML in a second data set, `<table>.__table_column_meta__`. Pixels may be stored as whole numbers
(fixed point), and truth values as bits. Some attributes are pickles of Python: nothing is ever unpickled, and nothing
that lies outside of the file is read.

Source: the layout that ctapipe writes (`ctapipe.io.HDF5TableWriter`, `ctapipe.io.write_table`), described by its data
model, https://ctapipe.readthedocs.io.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from showertools.storage import DatasetError, PathLike

Columns = dict[str, NDArray[Any]]
"""Columns of equal length, keyed by name."""

_FACTOR = re.compile(r"(/?)\s*([A-Za-z]+)\s*(?:\*\*|\^)?\(?(-?\d+)?")


def _plain_unit(unit: str) -> str:
    """Return one spelling of a unit: `g / cm2`, `g.cm**-2` and `cm**-2.g` are all cm-2 g1."""
    powers = [(name, int(power or 1) * (-1 if sign else 1)) for sign, name, power in _FACTOR.findall(unit)]
    return " ".join(sorted(f"{name}{power}" for name, power in powers))


UNITS = {
    _plain_unit(stored): (unit, factor)
    for unit, spellings in {
        "": {"": 1.0},
        "m": {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0},
        "m2": {"m2": 1.0, "cm2": 1e-4, "mm2": 1e-6},
        "deg": {"deg": 1.0, "rad": 180 / np.pi},
        "1/m": {"1/m": 1.0},
        "1/deg": {"1/deg": 1.0, "1/rad": np.pi / 180},
        "g/cm2": {"g/cm2": 1.0, "kg/m2": 0.1},
        "TeV": {"TeV": 1.0, "GeV": 1e-3, "MeV": 1e-6},
        "ns": {"ns": 1.0, "s": 1e9},
    }.items()
    for stored, factor in spellings.items()
}
"""Unit of this course and factor for each unit that such files name."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNREADABLE = (KeyError, OSError, OverflowError, RuntimeError, TypeError, ValueError)


class CompressionError(OSError):
    """A table that is compressed in a way that needs a package that is not installed."""


@contextmanager
def opened(path: PathLike) -> Iterator[h5py.File]:
    """Open an HDF5 file; what HDF5 cannot read inside the context becomes an error that names the file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is nothing to read.
    DatasetError
        A `ValueError`: the file is no HDF5 file, or cut off, or damaged.
    """
    with open(path, "rb") as raw:  # noqa: PTH123 (its errors say what is wrong)
        start = raw.read(len(_SIGNATURE))
    if start != _SIGNATURE:
        raise DatasetError(
            f"`path` should be a DL1 file of ctapipe or lstchain. Received: {path}, which is no HDF5 file"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (DatasetError, CompressionError):
        raise
    except _UNREADABLE as error:
        raise DatasetError(f"{path} is cut off or damaged: {error}. Get it again.") from error


def find(file: h5py.File, path: str) -> Any:
    """Return the group or data set of this name, or None if there is none in the file itself."""
    node: Any = file
    for name in path.strip("/").split("/"):
        if not isinstance(node, h5py.Group) or not isinstance(node.get(name, getlink=True), h5py.HardLink):
            return None
        node = node[name]
    return node


def find_table(file: h5py.File, path: str) -> h5py.Dataset | None:
    """Return the table of this name, or None if there is none.

    Raises
    ------
    DatasetError
        If what is there is no table.
    """
    node = find(file, path)
    if node is None:
        return None
    if not _is_table(node):
        raise DatasetError(f"{file.filename} is damaged or something else: `{path}` should be a table.")
    return node


def tables_of(file: h5py.File, path: str = "/") -> dict[str, h5py.Dataset]:
    """Return the tables right in a group, by name; none if there is no such group."""
    group = file if path == "/" else find(file, path)
    if not isinstance(group, h5py.Group):
        return {}
    nodes = {name: find(file, f"{path}/{name}") for name in group}
    return {name: node for name, node in nodes.items() if _is_table(node) and "__table_column_meta__" not in name}


def all_tables(file: h5py.File, path: str = "/", depth: int = 12) -> dict[str, h5py.Dataset]:
    """Return the tables in a group and the groups in it, by their paths; PyTables' own indices are left out."""
    found = {f"{path.strip('/')}/{name}".lstrip("/"): table for name, table in tables_of(file, path).items()}
    group = file if path == "/" else find(file, path)
    for name in group if depth else ():
        inner = f"{path.rstrip('/')}/{name}"
        if not name.startswith("_i_") and isinstance(find(file, inner), h5py.Group):
            found.update(all_tables(file, inner, depth - 1))
    return found


def names(table: h5py.Dataset) -> tuple[str, ...]:
    """Return the names of the columns in their order."""
    return tuple(table.dtype.names or ())


def read(table: h5py.Dataset, columns: Sequence[str]) -> Columns:
    """Read columns as numbers: fixed point is undone, bits become booleans.

    Parameters
    ----------
    table : h5py.Dataset
        As `find_table` returns it.
    columns : sequence of str
        Names of columns of the table.

    Returns
    -------
    dict of numpy.ndarray
        (rows, ...) in the order of `columns`, in the units of the file.

    Raises
    ------
    DatasetError
        If a column is missing or damaged.
    CompressionError
        An `OSError`: the table is compressed in a way that needs a package; the message names it.
    """
    missing = [name for name in columns if name not in names(table)]
    if missing:
        raise DatasetError(
            f"{_place(table)} should have the columns {missing}. Received: {', '.join(names(table)) or 'none'}"
        )
    if not columns:
        return {}
    missing = missing_filters(table)
    if missing:
        raise CompressionError(
            f"{_place(table)} is compressed with {', '.join(missing)}, which h5py cannot read by itself. Two ways out: "
            "`pip install hdf5plugin`; or, where ctapipe is installed, write the file again with "
            "`ptrepack --complib=zlib --complevel=5 OLD:/ NEW:/`."
        )
    try:
        rows = table.fields(list(columns))[...]
    except (*_UNREADABLE, MemoryError) as error:
        raise DatasetError(f"{_place(table)} cannot be read: {error}. Get the file again.") from error
    return {name: _decoded(table, name, np.ascontiguousarray(rows[name])) for name in columns}


def in_unit(table: h5py.Dataset, name: str, values: NDArray[Any], unit: str, otherwise: str = "") -> NDArray[Any]:
    """Return values of a column in a unit of the course.

    Parameters
    ----------
    table : h5py.Dataset
        Names the unit of the values.
    name : str
        Name of the column.
    values : numpy.ndarray
        As `read` returns them.
    unit : str
        A unit of the course, such as "deg".
    otherwise : str
        The unit of the values where the table names none; by default `unit`.

    Raises
    ------
    DatasetError
        If the file's unit is unknown, or of another kind.
    """
    stored = unit_of(table, name)
    known, factor = UNITS.get(_plain_unit(stored or otherwise or unit), (None, 1.0))
    if known != unit:
        raise DatasetError(f"`{name}` of {_place(table)} should be in {unit or 'no unit'}. Received: {stored!r}")
    return values if factor == 1 else values * factor


def in_course_units(table: h5py.Dataset, name: str, values: NDArray[Any], otherwise: str) -> tuple[NDArray[Any], str]:
    """Return values in the unit that the course has for their kind, and this unit; of an unknown kind as they are."""
    stored = unit_of(table, name) or otherwise
    unit, factor = UNITS.get(_plain_unit(stored), (stored, 1.0))
    return (values if factor == 1 else values * factor), unit


def unit_of(table: h5py.Dataset, name: str) -> str:
    """Return the unit that a table names for a column; empty if it names none."""
    stored = text(_of_column(table, name, "UNIT"))
    if stored:
        return stored
    found = re.search(rf"\bname: {re.escape(name)},[^\n]*?\bunit: (?:!\S+ *{{ *unit: *)?([^,}}]+)", _yaml(table))
    return found.group(1).strip("'\" ") if found else ""


def attribute(table: h5py.Dataset, name: str) -> str:
    """Return an attribute of a table as text, also from the YAML of astropy; empty if there is none."""
    stored = text(raw_attribute(table, name))
    if stored:
        return stored
    found = re.search(rf"(?:^|[\s{{,]){re.escape(name)}: *([^,}}\n]+)", _yaml(table))
    return found.group(1).strip("'\" ") if found else ""


def number(table: h5py.Dataset, name: str) -> float:
    """Return an attribute of a table as a number.

    Raises
    ------
    DatasetError
        If there is none, or it is no finite number.
    """
    value = float("nan")
    with suppress(ValueError):
        value = float(attribute(table, name))
    if not np.isfinite(value):
        raise DatasetError(
            f"the attribute {name} of {_place(table)} should be a number. Received: {attribute(table, name)!r}"
        )
    return value


def raw_attribute(node: Any, name: str) -> Any:
    """Return an attribute as HDF5 stores it; None if there is none, or nothing that can be read."""
    try:
        return node.attrs.get(name)
    except _UNREADABLE:
        return None


def text(value: Any) -> str:
    """Return an attribute or the name in a cell as text; empty for HDF5's empty values and for what is no text."""
    if value is None or isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, np.ndarray):
        return text(value.item()) if value.size == 1 else ""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:  # such as a pickle
            return ""
    return str(value).strip("\0 ")


def missing_filters(table: h5py.Dataset) -> list[str]:
    """Return the names of compressions that a table needs but that are not installed."""
    properties = table.id.get_create_plist()
    filters = [properties.get_filter(index) for index in range(properties.get_nfilters())]
    if not all(h5py.h5z.filter_avail(number) for number, *_ in filters):
        with suppress(ImportError):
            importlib.import_module("hdf5plugin")  # makes its filters known to HDF5
    return [text(name) or f"filter {number}" for number, *_, name in filters if not h5py.h5z.filter_avail(number)]


def take(values: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return rows of a column as int64, bool or as they are; where the row is -1: -1, False or NaN."""
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    fill = np.full((1, *values.shape[1:]), {"i": -1, "b": False}.get(values.dtype.kind, np.nan), values.dtype)
    return np.asarray(np.concatenate([values, fill])[rows])


def matching_rows(
    wanted: Sequence[NDArray[Any]], there: Sequence[NDArray[Any]], table: h5py.Dataset
) -> NDArray[np.intp]:
    """Return, for each key that is wanted, the row of a table that has it.

    Parameters
    ----------
    wanted : sequence of numpy.ndarray
        The parts of the keys, such as `obs_id` and `event_id`, (n,) each.
    there : sequence of numpy.ndarray
        The same of the table, (rows,) each, in any order.
    table : h5py.Dataset
        The table, for the message.

    Returns
    -------
    numpy.ndarray
        (n,) rows in the order of `wanted`; -1 where the table has none.

    Raises
    ------
    DatasetError
        If two rows of the table have the same key.
    """
    check_unique(there, table)
    keys = np.concatenate([np.stack(wanted, axis=1), np.stack(there, axis=1)])
    which = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    n_wanted = len(wanted[0])
    row = np.full(len(keys) + 1, -1)
    row[which[n_wanted:]] = np.arange(len(there[0]))
    return np.asarray(row[which[:n_wanted]], dtype=np.intp)


def check_unique(keys: Sequence[NDArray[Any]], table: h5py.Dataset) -> None:
    """Raise `DatasetError` if two rows of a table have the same key."""
    found, counts = np.unique(np.stack(keys, axis=1), axis=0, return_counts=True)
    if len(found) < len(keys[0]):
        used = ("obs_id", "event_id", "tel_id")[: len(keys)]
        twice = ", ".join(f"{name} {value}" for name, value in zip(used, found[np.argmax(counts)], strict=True))
        raise DatasetError(
            f"{_place(table)} should have one row for each of {', '.join(used)}. Received: {twice} twice"
        )


def _place(table: h5py.Dataset) -> str:
    return f"{table.name.lstrip('/')} of {table.file.filename}"


def _is_table(node: Any) -> bool:
    good = isinstance(node, h5py.Dataset) and node.ndim == 1 and bool(node.dtype.names)
    return bool(good and not node.is_virtual and not node.external)


def _decoded(table: h5py.Dataset, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return a column with fixed point undone, and bits as booleans."""
    if values.dtype.kind in "iu" and _is_bits(table, name):
        return np.asarray(values != 0)
    scale = _of_column(table, name, "TRANSFORM_SCALE")
    if scale is None or values.dtype.kind not in "iu":
        return values
    try:
        scale, offset = float(scale), float(_of_column(table, name, "TRANSFORM_OFFSET", 0))
        marks = {special: _of_column(table, name, f"{special}_VALUE") for special in ("NAN", "POSINF", "NEGINF")}
        numbers = {special: int(mark) for special, mark in marks.items() if mark is not None}
        dtype = np.dtype(text(_of_column(table, name, "TRANSFORM_DTYPE", "float32")))
    except (TypeError, ValueError) as error:
        raise DatasetError(f"`{name}` of {_place(table)} has a damaged fixed-point transform: {error}.") from error
    if not (np.isfinite([scale, offset]).all() and scale != 0 and dtype.kind == "f"):
        raise DatasetError(f"`{name}` of {_place(table)} should have a scale other than 0. Received: {scale!r}")
    decoded = ((values - np.float64(offset)) / scale).astype(dtype)
    for special, meaning in (("NAN", np.nan), ("POSINF", np.inf), ("NEGINF", -np.inf)):
        if special in numbers:
            decoded[values == numbers[special]] = meaning
    return np.asarray(decoded)


def _of_column(table: h5py.Dataset, name: str, what: str, default: Any = None) -> Any:
    """Return an attribute of a column by its new or its old name."""
    for key in (f"CTAFIELD_{names(table).index(name)}_{what}", f"{name}_{what}"):
        value = raw_attribute(table, key)
        if value is not None:
            return value
    return default


def _is_bits(table: h5py.Dataset, name: str) -> bool:
    """Return whether a column is stored as a bit field, which is how PyTables stores booleans."""
    kind = table.id.get_type().get_member_type(names(table).index(name))
    if kind.get_class() == h5py.h5t.ARRAY:
        kind = kind.get_super()
    return bool(kind.get_class() == h5py.h5t.BITFIELD)


def _yaml(table: h5py.Dataset) -> str:
    """Return what astropy has written about a table, in one piece; empty for other tables."""
    lines = find(table.file, f"{table.name}.__table_column_meta__")
    if not isinstance(lines, h5py.Dataset) or lines.ndim != 1 or lines.dtype.kind not in "SO":
        return ""
    try:
        whole = "\n".join(text(line) for line in lines[...].tolist())
    except _UNREADABLE:
        return ""
    return re.sub(r",\n\s*", ", ", whole)  # long lists are wrapped
