"""The way from a source to exercise and solution, on a tiny lesson that is run for real."""

import base64
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import build
import execution
import generate
import lesson as lessons
import lesson_trials
import nbformat
import numpy as np
import pytest
import run
from generate import exercise, solution
from lesson import LessonError, exercise_source, read_lesson, solution_source
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

TINY = Path(__file__).parent / "fixtures" / "01_tiny.py"
IN_FUNCTION = "def f(x):\n    '''Doc.'''\n    ### BEGIN SOLUTION\n    y = x\n    return y\n    ### END SOLUTION\n"
SMALL_PNG = base64.b64encode(b"not really a picture").decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a folder with both notebooks of the tiny lesson, built at full size."""
    folder = tmp_path_factory.mktemp("notebooks with a space")
    build.build(TINY, folder)
    return folder


@pytest.fixture
def notebooks(built, tmp_path):
    """Return a copy of that folder, which a test may change."""
    return Path(shutil.copytree(built, tmp_path / "notebooks"))


def read(path):
    return nbformat.read(path, as_version=4)


def write_lesson(folder, *cells, name="05_trial.py"):
    path = folder / name
    path.write_text("\n\n".join(["# %% [markdown]\n# # Trial", *cells]) + "\n", encoding="utf-8")
    return path


# What a cell becomes


def test_a_solution_becomes_a_stub():
    assert exercise_source(IN_FUNCTION) == (
        "def f(x):\n    '''Doc.'''\n    # your code here\n    raise NotImplementedError"
    )


def test_markers_and_stubs_are_not_in_the_solution():
    assert solution_source(IN_FUNCTION) == "def f(x):\n    '''Doc.'''\n    y = x\n    return y"
    assert solution_source("### BEGIN SOLUTION\n# stub: a = ...\na = 3\n### END SOLUTION") == "a = 3"


def test_outside_a_function_the_author_writes_the_stub():
    source = "### BEGIN SOLUTION\n# stub: a = ...\n# stub: b = ...\na, b = 3, 4\n### END SOLUTION\nc = 1"
    assert exercise_source(source) == "a = ...  # your code here\nb = ...\nc = 1"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("### BEGIN SOLUTION\na = 3\n### END SOLUTION", "# stub: name = ..."),
        ("if True:\n    ### BEGIN SOLUTION\n    a = 3\n    ### END SOLUTION", "# stub: name = ..."),
        ("class A:\n    ### BEGIN SOLUTION\n    a = 3\n    ### END SOLUTION", "# stub: name = ..."),
        ("def f():\n    ### BEGIN SOLUTION\n    return 3", "has no '### END SOLUTION'"),
        ("def f():\n    return 3\n    ### END SOLUTION", "its own '### END SOLUTION'"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "its own '### END SOLUTION'"),
    ],
)
def test_regions_that_cannot_work(source, message):
    with pytest.raises(LessonError, match=message):
        exercise_source(source)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("# %%\n!ls", "not plain Python"),
        ('# %% tags=["chek"]\n1', "tags should be among"),
        ('# %% tags=["wrong"]\n1', "'# hint: words of the hint'"),
        ("# %%\ndef f(:\n    pass", "not plain Python"),
    ],
)
def test_sources_that_break_the_rules(tmp_path, cell, message):
    with pytest.raises(LessonError, match=message):
        read_lesson(write_lesson(tmp_path, cell))


def test_the_title_comes_first(tmp_path):
    path = tmp_path / "05_trial.py"
    path.write_text("# %%\n1\n", encoding="utf-8")
    with pytest.raises(LessonError, match="the first cell should be markdown and start with the title"):
        read_lesson(path)


def test_a_wrong_answer_follows_a_check(tmp_path):
    lesson = read_lesson(write_lesson(tmp_path, '# %% tags=["wrong"]\n# hint: no\n1'))
    with pytest.raises(LessonError, match="should follow a check"):
        lessons.tasks(lesson)


def test_tasks():
    first, second = lessons.tasks(read_lesson(TINY))
    assert [lessons.hint(cell) for cell in first.wrongs] == ["do you multiply", "order of the arguments"]
    assert "def add" in first.solutions[0].source
    assert "answer = 6 * 7" in second.solutions[0].source
    assert "Task 2" in second.check.source


# The notebooks


def test_exercise(built):
    notebook = read(built / "01_tiny.ipynb")
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "SOLUTION" not in text
    assert "hint:" not in text
    assert "    # your code here\n    raise NotImplementedError" in text
    assert "answer = ...  # your code here" in text
    assert all(cell.outputs == [] and cell.execution_count is None for cell in notebook.cells if "outputs" in cell)


def test_exercise_shows_the_figure_to_expect_after_its_code(built):
    cells = read(built / "01_tiny.ipynb").cells
    (index,) = [i for i, cell in enumerate(cells) if "expected" in cell.metadata.get("tags", ())]
    assert "plt.plot" in cells[index].source
    assert cells[index + 1].source.startswith("If your code is right, the figure looks like this:")
    (uri,) = generate.DATA_URI.findall(cells[index + 1].source)
    assert len(uri) < 61_000
    assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).width > 200


def test_solution_is_executed_at_full_size(built):
    notebook = read(built / "solutions" / "01_tiny.ipynb")
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert not any("wrong" in cell.metadata.get("tags", ()) for cell in notebook.cells)
    assert run.results(notebook) == ["The answer is 42."]
    printed = [lesson_trials.stdout(cell) for cell in notebook.cells if "check" in cell.metadata.get("tags", ())]
    assert printed == ["Task 1: correct.\n", "Task 2: correct.\n"]


def test_title_has_badges_and_the_first_code_cell_installs(built):
    first, second, *others = read(built / "01_tiny.ipynb").cells
    repository, version = generate.course()
    slug = repository.removeprefix("https://github.com/")
    assert f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/01_tiny.ipynb" in first.source
    assert f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab%2Ftree%2Fnotebooks%2F01_tiny.ipynb" in first.source
    assert first.source.startswith("# A tiny lesson\n\n[![")
    assert f"    %pip install -q git+{repository}@v{version}" in second.source
    assert second.metadata.tags == ["colab"]
    assert not any("%pip" in cell.source for cell in others)


def test_relative_links_fit_the_folder(built):
    assert "](../showertools/tasks.py)" in read(built / "01_tiny.ipynb").cells[0].source
    solved = solution(read_lesson(TINY)).cells
    assert "[Exercise](../01_tiny.ipynb)" in solved[0].source


def test_links_of_a_solution_lead_one_folder_up(tmp_path):
    text = "[a](../a.py) [b](02_b.ipynb) [c](https://x.org/y) ![d](d.png) [e](#e)"
    lesson = read_lesson(write_lesson(tmp_path, f"# %% [markdown]\n# {text}"))
    expected = "[a](../../a.py) [b](02_b.ipynb) [c](https://x.org/y) ![d](../d.png) [e](#e)"
    assert solution(lesson).cells[-1].source == expected
    assert exercise(lesson, None).cells[-1].source == text


def test_metadata_holds_nothing_of_this_machine(built):
    for path in built.rglob("*.ipynb"):
        notebook = read(path)
        assert notebook.metadata == {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        assert all(set(cell.metadata) <= {"tags", "pictures_sha256"} for cell in notebook.cells)


# Building again


def test_building_without_a_run_changes_nothing(notebooks, built):
    build.build(TINY, notebooks, run=False)
    for path in built.rglob("*.ipynb"):
        assert (notebooks / path.relative_to(built)).read_text() == path.read_text()


def test_check_passes_what_was_built(built):
    build.check(TINY, built)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [("# A tiny", "# A small", "solution"), ("# stub: answer = ...", "# stub: answer = None", "exercise")],
)
def test_check_finds_a_changed_source(built, tmp_path, old, new, kind):
    changed = tmp_path / TINY.name
    changed.write_text(TINY.read_text().replace(old, new))
    with pytest.raises(LessonError, match=f"the {kind} is not what its source gives. Run: make build LESSON=01"):
        build.check(changed, built)


@pytest.mark.parametrize("name", ["01_tiny.ipynb", "solutions/01_tiny.ipynb"])
def test_check_finds_an_edited_or_missing_notebook(notebooks, name):
    path = notebooks / name
    path.write_text(path.read_text().replace("Write `add(a, b)`", "Write `sum(a, b)`"))
    with pytest.raises(LessonError, match="is not what its source gives"):
        build.check(TINY, notebooks)
    path.unlink()
    with pytest.raises(LessonError, match=r"is not there yet\. Run: make build LESSON=01"):
        build.check(TINY, notebooks)


def test_text_can_change_without_a_run_but_code_cannot(notebooks, tmp_path):
    changed = tmp_path / TINY.name
    changed.write_text(TINY.read_text().replace("Write `add(a, b)`", "Write the function `add(a, b)`"))
    build.build(changed, notebooks, run=False)
    build.check(changed, notebooks)
    assert all(cell.execution_count for cell in read(notebooks / "solutions/01_tiny.ipynb").cells if "outputs" in cell)
    changed.write_text(TINY.read_text().replace("6 * 7", "7 * 6"))
    with pytest.raises(LessonError, match=r"its code has changed\. Run: make build LESSON=01"):
        build.build(changed, notebooks, run=False)


def test_a_failing_cell_is_named_and_leaves_the_old_notebooks(notebooks, tmp_path, capsys):
    before = {path: path.read_bytes() for path in notebooks.rglob("*.ipynb")}
    changed = tmp_path / TINY.name
    changed.write_text(TINY.read_text().replace("add(20, 22)", "add(20, [])"))
    with pytest.raises(execution.ExecutionError) as failure:
        build.build(changed, notebooks)
    assert "under “Task 1: a sum”) failed" in str(failure.value)
    assert "add(20, [])" in str(failure.value)
    assert "TypeError" in str(failure.value)
    assert {path: path.read_bytes() for path in notebooks.rglob("*.ipynb")} == before
    assert "stopped" in capsys.readouterr().out
    assert not list(notebooks.rglob("*.part"))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_leaves_the_old_notebooks(notebooks, tmp_path):
    before = {path: path.read_bytes() for path in notebooks.rglob("*.ipynb")}
    (tmp_path / TINY.name).write_text(TINY.read_text().replace("add(20, 22)", "import time; time.sleep(60)"))
    code = (
        "import sys, build; from pathlib import Path; "
        f"build.SOURCES, build.NOTEBOOKS = Path({str(tmp_path)!r}), Path({str(notebooks)!r}); sys.exit(build.main([]))"
    )
    environment = os.environ | {"PYTHONPATH": str(lessons.NOTEBOOKS)}
    command = [sys.executable, "-u", "-c", code]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        shown = ""
        while "[ 6/" not in shown:
            letter = child.stdout.read(1)
            assert letter, child.stderr.read()
            shown += letter
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert errors == "\nInterrupted. The notebooks are what they were before.\n"
    assert {path: path.read_bytes() for path in notebooks.rglob("*.ipynb")} == before


def test_a_dead_kernel_is_told_from_a_failing_cell(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import os; os.write(2, b'last words'); os._exit(3)")])
    with pytest.raises(execution.ExecutionError, match="The kernel died in Cell 1"):
        execution.execute(notebook, folder=tmp_path, profile="quick")


def test_a_cell_that_takes_too_long(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import time; time.sleep(60)")])
    with pytest.raises(execution.ExecutionError, match="took longer than 1 s"):
        execution.execute(notebook, folder=tmp_path, profile="quick", timeout=1)


def test_a_cell_that_should_draw_and_does_not(tmp_path):
    lesson = read_lesson(write_lesson(tmp_path, '# %% tags=["expected"]\nx = 1'))
    with pytest.raises(LessonError, match="a cell tagged 'expected' should draw a figure"):
        exercise(lesson, solution(lesson))


# Outputs


def notebook_with(*outputs):
    return new_notebook(cells=[new_code_cell("1", outputs=list(outputs))])


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (stream("saved to /root/runs/x.h5\n"), "a path of this machine"),
        (stream("('/home/me/x',)\n"), "a path of this machine"),
        (stream("x.py:3: UserWarning: careful\n", "stderr"), "a warning"),
        (stream("odd\n", "stderr"), "text on stderr"),
        (stream("<object object at 0x7f70aad155d0>\n"), "memory address"),
        (new_output("error", ename="ValueError", evalue="no"), "an error: ValueError: no"),
        (new_output("execute_result", data={"text/plain": "PosixPath('/tmp/x')"}), "a path of this machine"),
    ],
)
def test_outputs_that_may_not_be_stored(output, words):
    with pytest.raises(execution.ExecutionError, match=words):
        execution.tidy(notebook_with(output))


@pytest.mark.parametrize("text", ["see https://x.org/home/me\n", "runs/work/x\n", "1/2\n", "and/or /tmpfile\n"])
def test_outputs_that_may(text):
    notebook = notebook_with(stream(text))
    execution.tidy(notebook)
    assert notebook.cells[0].outputs[0].text == text


def test_bars_and_widgets_go_and_streams_are_joined():
    bar = new_output("display_data", data={execution.WIDGET: {"model_id": "1"}, "text/plain": "0%"})
    notebook = notebook_with(stream("a\n"), stream("\r 50%|█  |\r100%|██|\n", "stderr"), bar, stream("1\r2\r3\n"))
    execution.tidy(notebook)
    assert [(output.name, output.text) for output in notebook.cells[0].outputs] == [("stdout", "a\n3\n")]


def test_a_large_picture_is_shrunk_and_a_small_one_kept():
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    small = generate.shrunk(buffer.getvalue())
    assert len(base64.b64encode(small)) <= 60_000
    assert Image.open(io.BytesIO(small)).width >= 100
    assert generate.shrunk(small) == small


# Running, and the trials of tasks


def test_run_keeps_notebook_and_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", "quick")
    old = tmp_path / "01_tiny" / "figure_9.png"
    old.parent.mkdir()
    old.write_bytes(b"")
    run.run(TINY, tmp_path)
    assert sorted(path.name for path in old.parent.iterdir()) == ["01_tiny.ipynb", "figure_1.png"]
    out = capsys.readouterr().out
    assert "Lesson 01_tiny, quick profile" in out
    assert "Task 2: a number" in out
    assert "\nThe answer is 42.\n" in out
    assert "figure_*.png (1)" in out


def test_run_of_an_unknown_lesson_says_what_there_is(capsys):
    assert run.main(["--lesson", "99"]) == 1
    assert "`lesson` should be the number of a lesson" in capsys.readouterr().err


def test_build_of_an_unknown_lesson(capsys):
    assert build.main(["--lesson", "99"]) == 1
    assert "Received: '99'" in capsys.readouterr().err


def test_lessons_are_found_by_number_or_name():
    folder = TINY.parent
    assert lessons.lesson_paths("01", folder) == lessons.lesson_paths("01_tiny", folder) == [TINY]


def test_what_ran_before_an_output_was_refused_is_kept_aside(tmp_path):
    text = TINY.read_text(encoding="utf-8") + '\n# %%\nprint("/home/me/x")\n'
    source = tmp_path / "01_tiny.py"
    source.write_text(text, encoding="utf-8")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with pytest.raises(execution.ExecutionError, match="a path of this machine") as failure:
        build.build(source, folder)
    aside = tmp_path / "runs" / "01_tiny_refused.ipynb"
    assert str(aside) in str(failure.value)
    assert read(aside).cells[-1].outputs[0].text == "/home/me/x\n"
    assert not list(folder.iterdir())


def test_an_open_exercise_runs_to_its_end():
    said, seconds = lesson_trials.run_open(read_lesson(TINY), TINY.parent)
    assert list(said.values()) == ["Task 1: still open.\n", "Task 2: still open.\n"]
    assert seconds > 0


def test_wrong_answers_are_refused_with_their_hints():
    said = lesson_trials.refusals(read_lesson(TINY), TINY.parent)
    assert lesson_trials.faults(said) == []
    assert len(said) == 4


def test_a_check_that_passes_a_wrong_answer_is_found(tmp_path):
    changed = tmp_path / TINY.name
    text = TINY.read_text().replace("return a + b if a < b else a - b", "return b + a")
    changed.write_text(text.replace("# hint: do not add", "# hint: something else"))
    passed, other = lesson_trials.faults(lesson_trials.refusals(read_lesson(changed), tmp_path))
    assert "the check passes this wrong answer (hint: order of the arguments)" in passed
    assert "the hint should hold 'something else'. Received: AssertionError: Multiply, do not add." in other


def test_a_slow_lesson_is_reported(tmp_path):
    shutil.copy(Path(__file__).parent / "conftest.py", tmp_path)
    test = "def test_lesson(record_property):\n    record_property('lesson_seconds', ('07_slow', 75.2))\n"
    (tmp_path / "test_slow.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "07_slow takes 75 s in the quick profile, more than 60 s." in done.stdout
