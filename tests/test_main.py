import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from showertools import __main__ as command_line
from showertools import cherenkov, datasets, footprints, surface
from showertools.resumable import part_folder

SMALL = ["--model", "muons_per_proton=100", "--model", "n_pixels=8"]
MODEL = footprints.FootprintModel(muons_per_proton=100.0, n_pixels=8)


def _simulate(path, *options, events=300, kind="footprints"):
    arguments = ["simulate", kind, "--events", str(events), "--seed", "1", "--out", str(path)]
    return command_line.main([*arguments, *SMALL, *options])


def _refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_what_is_simulated_is_what_the_function_gives(tmp_path, capsys):
    path = tmp_path / "x.h5"
    assert _simulate(path, "--workers", "2") == 0
    out, err = capsys.readouterr()
    assert out == f"300 footprints written to {path}\n"
    assert "300/300" in err
    found, expected = datasets.load(path), footprints.simulate(300, seed=1, model=MODEL)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    attributes = datasets.attributes(path)
    assert footprints.FootprintModel(**attributes["model"]) == MODEL
    assert attributes["units"] == footprints.UNITS
    assert attributes["kind"] == "footprints"


def test_the_command_in_the_file_makes_the_file(tmp_path):
    path = tmp_path / "with space.h5"
    _simulate(path)
    before = datasets.attributes(path)
    path.unlink()
    done = subprocess.run(
        before["command"].replace("python", sys.executable, 1), shell=True, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert datasets.attributes(path) == before


def test_info_shows_all_there_is(tmp_path, capsys):
    path = tmp_path / "x.h5"
    _simulate(path)
    capsys.readouterr()
    assert command_line.main(["info", str(path)]) == 0
    out = capsys.readouterr().out
    lines = {line.split("  ")[0]: " ".join(line.split("  ")[1:]).split() for line in out.splitlines() if line}
    assert lines["counts"] == ["(300,", "8,", "8)", "float32", "muons"]
    assert lines["xmax"] == ["(300,)", "float32", "g/cm2"]
    assert lines["seed"] == ["1"]
    assert lines["n_pixels"] == ["8"]
    assert re.search(r"^checksum [0-9a-f]{64} ok$", out, flags=re.MULTILINE)
    columns = [line.index("float32") for line in out.splitlines() if "float32" in line]
    assert len(set(columns)) == 1
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_info_of_a_set_without_attributes(tmp_path, capsys):
    datasets.save(tmp_path / "x.h5", {"x": [1]}, attributes={})
    assert command_line.main(["info", str(tmp_path / "x.h5")]) == 0
    assert "ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"abc", "no data set of showertools"), ("flip", "was altered")]
)
def test_info_fails_in_one_line(tmp_path, capsys, content, message):
    path = tmp_path / "x.h5"
    if content == "flip":
        datasets.save(path, {"x": [1]}, attributes={})
        altered = bytearray(path.read_bytes())
        altered[-1] ^= 1
        path.write_bytes(altered)
    elif content is not None:
        path.write_bytes(content)
    assert command_line.main(["info", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err
    assert str(path) in err


def test_wrong_usage_is_explained(tmp_path, capsys):
    start = ["simulate", "footprints", "--out", str(tmp_path / "x.h5")]
    assert re.search("choose from '?array", _refused(["simulate", "neutrinos"], capsys))  # quoted by older Pythons
    assert "required: --events, --seed" in _refused(start, capsys)
    for number in ("0", "-3", "many", "1.5"):
        message = _refused([*start, "--seed", "1", "--events", number], capsys)
        assert f"should be a whole number of at least 1. Received: {number}" in message
    start += ["--seed", "1", "--events", "5"]
    assert "KEY one of n_pixels, pixel_size" in _refused([*start, "--model", "pixels=3"], capsys)
    assert "`--model n_pixels` should be of type int. Received: 3.5" in _refused(
        [*start, "--model", "n_pixels=3.5"], capsys
    )
    assert "`--model mass_numbers` should be of type" in _refused([*start, "--model", "mass_numbers=p"], capsys)
    assert "should be a positive number" in _refused([*start, "--model", "pixel_size=-1"], capsys)
    assert not list(tmp_path.iterdir())


def test_parameters_have_the_types_of_the_model():
    texts = ["n_pixels=16", "pixel_size=50", "mass_numbers=1,56", "hadronic_model=EPOS-LHC", "core_spread=1e2"]
    model = command_line._model(footprints.FootprintModel, texts)
    assert model == footprints.FootprintModel(
        n_pixels=16, pixel_size=50.0, mass_numbers=(1, 56), hadronic_model="EPOS-LHC", core_spread=100.0
    )
    assert command_line._model(footprints.FootprintModel, ["mass_numbers=4"]).mass_numbers == (4,)


def _simulate_array(path, *options):
    small = ["--model", "n_rows=3", "--model", "n_columns=4", "--model", "log10_energy=19,19.5"]
    start = ["simulate", "array", "--events", "200", "--seed", "1", "--out", str(path)]
    return command_line.main([*start, *small, *options])


SMALL_ARRAY = {"n_rows": 3, "n_columns": 4, "log10_energy": (19.0, 19.5)}


@pytest.mark.parametrize(
    ("options", "model", "traces"),
    [
        ([], surface.ArrayModel(**SMALL_ARRAY), True),
        (["--preset", "classic"], surface.ArrayModel.classic(**SMALL_ARRAY), True),
        (
            ["--no-traces", "--preset", "classic", "--model", "time_noise=40"],
            surface.ArrayModel.classic(time_noise=40.0, **SMALL_ARRAY),
            False,
        ),
        (["--model", "saturation=inf"], surface.ArrayModel(saturation=np.inf, **SMALL_ARRAY), True),
    ],
)
def test_an_array_is_simulated_as_the_function_does(tmp_path, capsys, options, model, traces):
    path = tmp_path / "x.h5"
    assert _simulate_array(path, *options) == 0
    assert capsys.readouterr().out == f"200 array events written to {path}\n"
    found, expected = datasets.load(path), surface.simulate(200, seed=1, model=model, traces=traces)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    attributes = datasets.attributes(path)
    assert surface.ArrayModel(**attributes["model"]) == model
    assert attributes["traces"] is traces
    assert all(word in attributes["command"] for word in options)
    assert command_line.main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["signal", "(200,", "12)", "float32", "VEM"] for line in lines)


def test_wrong_usage_for_arrays_is_explained(tmp_path, capsys):
    start = ["--events", "5", "--seed", "1", "--out", str(tmp_path / "x.h5")]
    array, footprint = ["simulate", "array", *start], ["simulate", "footprints", *start]
    assert "`--preset` should be classic. Received: toy" in _refused([*array, "--preset", "toy"], capsys)
    assert "`--preset` should be left out here. Received: classic" in _refused(
        [*footprint, "--preset", "classic"], capsys
    )
    assert "`--no-traces` should be given for array only. Received: footprints" in _refused(
        [*footprint, "--no-traces"], capsys
    )
    assert "`--model log10_energy` should be of type" in _refused([*array, "--model", "log10_energy=high"], capsys)
    assert "`log10_energy` should be a pair of numbers" in _refused([*array, "--model", "log10_energy=19"], capsys)
    assert not list(tmp_path.iterdir())


def test_telescopes_are_simulated_as_the_function_does(tmp_path, capsys):
    path = tmp_path / "x.h5"
    start = ["simulate", "telescopes", "--events", "40", "--seed", "1", "--out", str(path), "--particle", "proton"]
    assert command_line.main([*start, "--model", "camera_name=small", "--model", "energy=0.1,10"]) == 0
    assert capsys.readouterr().out == f"40 proton events written to {path}\n"
    model = cherenkov.TelescopeModel(camera_name="small", energy=(0.1, 10.0))
    found, expected = datasets.load(path), cherenkov.simulate(40, seed=1, particle="proton", model=model)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    attributes = datasets.attributes(path)
    assert cherenkov.TelescopeModel(**attributes["model"]) == model
    assert attributes["particle"] == "proton"
    assert "--particle proton" in attributes["command"]


def test_wrong_usage_for_telescopes_is_explained(tmp_path, capsys):
    start = ["--events", "5", "--seed", "1", "--out", str(tmp_path / "x.h5")]
    telescopes = ["simulate", "telescopes", *start]
    assert "`--particle` should be gamma or proton. Received: None" in _refused(telescopes, capsys)
    assert "`--particle` should be gamma or proton. Received: iron" in _refused(
        [*telescopes, "--particle", "iron"], capsys
    )
    assert "`--particle` should be given for telescopes only. Received: array" in _refused(
        ["simulate", "array", *start, "--particle", "gamma"], capsys
    )
    assert "`--no-traces` should be given for array only. Received: telescopes" in _refused(
        [*telescopes, "--particle", "gamma", "--no-traces"], capsys
    )
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(tmp_path, capsys):
    assert _simulate(tmp_path / "no" / "x.h5") == 1
    assert "make the folder first" in capsys.readouterr().err


def test_a_fault_inside_is_one_line_too(tmp_path, capsys, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(footprints, "simulate_chunk", broken)
    assert _simulate(tmp_path / "x.h5") == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("error: first line second line")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_after_an_interrupt_the_same_command_continues(tmp_path):
    path, whole = tmp_path / "x.h5", tmp_path / "whole.h5"
    slow = (
        "import sys, time; from showertools import __main__, footprints, resumable; resumable.PIECE_BYTES = 1\n"
        "fast = footprints.simulate_chunk\n"
        "footprints.simulate_chunk = lambda *given: [fast(*given), time.sleep(0.2)][0]\n"
        "sys.exit(__main__.main())"
    )
    arguments = ["simulate", "footprints", "--events", "3000", "--seed", "1", *SMALL, "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *arguments, "--out", path], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    deadline = time.monotonic() + 30
    while len(list(part_folder(path).glob("piece-*.h5"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.search(r"Interrupted\. [\d,]+ of 3,000 events are safe: run the same command again to continue\.", err)
    assert "Traceback" not in err
    assert not path.exists()

    run = [sys.executable, "-m", "showertools", *arguments, "--out"]
    done = subprocess.run([*run, path], capture_output=True, text=True, check=True)
    assert "Continuing an interrupted simulation" in done.stderr
    subprocess.run([*run, whole], capture_output=True, check=True)
    assert datasets.attributes(path)["checksum"] == datasets.attributes(whole)["checksum"]
    assert not part_folder(path).exists()


def test_a_reader_that_stops_early(tmp_path):
    path = tmp_path / "x.h5"
    datasets.save(path, {"x": [1]}, attributes={"long": "y" * 200_000})
    done = subprocess.run(
        f"{sys.executable} -m showertools info {path} | head -c 10",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
