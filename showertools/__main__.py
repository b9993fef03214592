"""`python -m showertools simulate` writes a data set, `python -m showertools info` shows what is in one."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import logging
import os
import shlex
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from showertools import __version__

KINDS = {
    "footprints": ("footprints", "FootprintModel"),
    "array": ("surface", "ArrayModel"),
    "telescopes": ("cherenkov", "TelescopeModel"),
}
"""What can be simulated: the name of a module of the package, and of the model in it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 if it failed, or 130 if it was interrupted. Wrong usage ends with 2."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        run: Callable[[argparse.ArgumentParser, argparse.Namespace], int] = options.run
        return run(options.parser, options)
    except BrokenPipeError:  # as in `info FILE | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted." + _how_to_continue(options), file=sys.stderr)
        return 130
    except Exception as error:  # a person at a terminal has no use for a traceback
        print(f"error: {' '.join(_describe(error).split())}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m showertools", description="Simulated data sets of the course.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="simulate events and write them to a file")
    simulate.add_argument("kind", choices=sorted(KINDS), metavar="KIND", help=" or ".join(sorted(KINDS)))
    simulate.add_argument("--events", type=_whole(1), required=True, metavar="N", help="how many")
    simulate.add_argument("--seed", type=_whole(0), required=True, metavar="S", help="the same seed, the same events")
    simulate.add_argument("--out", required=True, metavar="FILE", help="HDF5 file to write")
    simulate.add_argument("--workers", type=_whole(1), metavar="W", help="threads; default: one for each core")
    simulate.add_argument(
        "--model", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the model; can be repeated"
    )
    simulate.add_argument("--preset", metavar="NAME", help="a model by name; for array: classic")
    simulate.add_argument("--no-traces", action="store_true", help="for array: signals and times only, faster")
    simulate.add_argument("--particle", metavar="NAME", help="for telescopes, and needed there: gamma or proton")
    simulate.set_defaults(run=_simulate, parser=simulate)

    info = commands.add_parser("info", help="show what is in a file, and whether it is unaltered")
    info.add_argument("file", metavar="FILE")
    info.set_defaults(run=_info, parser=info)
    return parser


def _whole(minimum: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text.replace(",", "").replace("_", ""))
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"should be a whole number of at least {minimum}. Received: {text}")
        return value

    return convert


def _simulate(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from showertools.resumable import simulate_to_file

    module_name, model_name = KINDS[options.kind]
    module = importlib.import_module(f"showertools.{module_name}")
    try:
        special = _special(module, options)
        model = _model(getattr(module, model_name), options.model, _preset(module, options.preset))
    except ValueError as error:
        parser.error(str(error))
    simulate_to_file(
        options.out,
        lambda rng, size: module.simulate_chunk(rng, size, model, **special),
        options.events,
        seed=options.seed,
        chunk_size=module.CHUNK_SIZE,
        attributes={
            "kind": options.kind,
            "command": _command(options),
            "model": dataclasses.asdict(model),
            "units": module.UNITS,
            **special,
        },
        workers=options.workers,
        progress=True,
    )
    written = {"array": "array events", "telescopes": f"{options.particle} events"}.get(options.kind, options.kind)
    print(f"{options.events:,} {written} written to {options.out}")
    return 0


def _special(module: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that only one kind of simulation takes."""
    for option, given, kind in (
        ("--no-traces", options.no_traces, "array"),
        ("--particle", options.particle is not None, "telescopes"),
    ):
        if given and options.kind != kind:
            raise ValueError(f"`{option}` should be given for {kind} only. Received: {options.kind}")
    if options.kind == "telescopes":
        if options.particle not in module.PARTICLES:
            raise ValueError(f"`--particle` should be {' or '.join(module.PARTICLES)}. Received: {options.particle}")
        return {"particle": options.particle}
    return {"traces": not options.no_traces} if options.kind == "array" else {}


def _preset(module: Any, name: str | None) -> Callable[..., Any] | None:
    presets = getattr(module, "PRESETS", {})
    if name is not None and name not in presets:
        raise ValueError(f"`--preset` should be {' or '.join(presets) or 'left out here'}. Received: {name}")
    return presets[name] if name is not None else None


def _model(model_class: type[Any], assignments: Sequence[str], preset: Callable[..., Any] | None = None) -> Any:
    """Return a model with some of its parameters set from texts such as "pixel_size=50"."""
    types = typing.get_type_hints(model_class)
    fields = [field.name for field in dataclasses.fields(model_class)]
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or key not in fields:
            raise ValueError(f"`--model` should be KEY=VALUE, KEY one of {', '.join(fields)}. Received: {assignment}")
        values[key] = _value(key, text, types[key])
    return (preset or model_class)(**values)


def _value(key: str, text: str, kind: Any) -> Any:
    """Return what a text says as a value of the field's type; a bare number or list of them makes a tuple."""
    if kind is str:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if kind is float and (type(value) is int or text in ("inf", "-inf")):
        return float(text)
    if typing.get_origin(kind) is tuple:
        entries = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if float in typing.get_args(kind):
            entries = tuple(float(entry) if type(entry) is int else entry for entry in entries)
        if all(type(entry) in typing.get_args(kind) for entry in entries):
            return entries
    elif type(value) is kind:
        return value
    name = kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)
    raise ValueError(f"`--model {key}` should be of type {name}. Received: {text}")


def _command(options: argparse.Namespace) -> str:
    """Return the command that makes the file again: what decides its contents, not how fast."""
    words = [
        "python",
        "-m",
        "showertools",
        "simulate",
        options.kind,
        "--events",
        options.events,
        "--seed",
        options.seed,
    ]
    if options.preset is not None:
        words += ["--preset", options.preset]
    for assignment in options.model:
        words += ["--model", assignment]
    if options.no_traces:
        words.append("--no-traces")
    if options.particle is not None:
        words += ["--particle", options.particle]
    return shlex.join(str(word) for word in [*words, "--out", options.out])


def _info(_: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from showertools import datasets

    attributes = datasets.attributes(options.file)
    units, checksum = attributes.pop("units"), attributes.pop("checksum")
    model = attributes.pop("model", {})
    rows = [("file", options.file), *((name.replace("_", " "), str(value)) for name, value in attributes.items())]
    print(_table(rows))
    shapes = datasets.describe(options.file)
    arrays = [(name, str(shape), str(dtype), units[name]) for name, (shape, dtype) in shapes.items()]
    print("\n" + _table([("array", "shape", "type", "unit"), *arrays]))
    if model:
        print("\n" + _table([("model", ""), *((name, str(value)) for name, value in model.items())]))
    print(f"\nchecksum {checksum} ok")
    return 0


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _how_to_continue(options: argparse.Namespace) -> str:
    if "out" not in options:
        return ""
    from showertools.resumable import n_simulated

    done = f"{n_simulated(options.out):,} of {options.events:,} events are safe"
    return f" {done}: run the same command again to continue."


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
