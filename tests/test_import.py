"""What `import showertools` loads, and what TensorFlow says after it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import showertools


def run(code, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"} | variables
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_there_is_one_version():
    root = Path(__file__).parents[1]
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert showertools.__version__ == pyproject["project"]["version"]
    assert f"\nversion: {showertools.__version__}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")


def test_import_loads_nothing_heavy():
    done = run("import showertools, sys; print(*{name.split('.')[0] for name in sys.modules})")
    assert not {"keras", "tensorflow", "matplotlib", "numpy", "scipy", "h5py"} & set(done.stdout.split())


def test_tensorflow_starts_without_a_word():
    done = run(
        "import showertools, keras, numpy as np\n"
        "keras.ops.ones(3)\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])\n"
        "model.compile('adam', 'mse')\n"
        "model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FAKE = "import sys, types; sys.path.insert(0, {folder!r}); import showertools, tensorflow; print('alive')"


def fake_tensorflow(folder, code):
    (folder / "tensorflow.py").write_text(
        f"import os, types\nconfig = types.SimpleNamespace(list_physical_devices=list)\n{code}\n", encoding="utf-8"
    )
    return FAKE.format(folder=str(folder))


def test_many_networks_are_asked_without_a_word():
    done = run(
        "import showertools, keras, logging, numpy as np\n"
        "for _ in range(7):\n"
        "    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])\n"
        "    model.predict(np.ones((4, 3)), verbose=0)\n"
        "logging.getLogger('tensorflow').warning('heard')\n"
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["WARNING:tensorflow:heard"]


def test_what_is_not_chatter_comes_through(tmp_path):
    chatter = "I0 port.cc:153] oneDNN custom operations are on. You may see"
    code = fake_tensorflow(tmp_path, f"os.write(2, b'{chatter}\\nE0 something is broken\\n')")
    done = run(code)
    assert done.stdout == "alive\n"
    assert done.stderr == "E0 something is broken\n"


def test_last_words_before_a_crash_come_through(tmp_path):
    done = run(fake_tensorflow(tmp_path, "os.write(2, b'F0 this CPU has no AVX\\n'); os.abort()"))
    assert done.returncode != 0
    assert "this CPU has no AVX" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes a file descriptor")
@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&2 2>&-"])
def test_a_closed_stderr_is_no_error(tmp_path, closed):
    code = fake_tensorflow(tmp_path, "") + "; open('done', 'w').close()"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "done").exists()


def test_where_no_process_may_start_it_is_loud(tmp_path):
    code = fake_tensorflow(tmp_path, "os.write(2, b'oneDNN custom operations are on\\n')")
    done = run(f"import sys, showertools; sys.executable = '/none'; {code}")
    assert "alive" in done.stdout
    assert "oneDNN" in done.stderr


def test_an_error_of_the_import_is_an_error(tmp_path):
    done = run(fake_tensorflow(tmp_path, "raise ImportError('a library is missing')"))
    assert re.search("ImportError: a library is missing", done.stderr)


def test_messages_come_back_on_request(tmp_path):
    code = fake_tensorflow(tmp_path, "os.write(2, b'oneDNN custom operations are on\\n')")
    assert "oneDNN" in run(code, TF_CPP_MIN_LOG_LEVEL="0").stderr
