"""What holds for every lesson: its notebooks are what its source gives, its tasks work, its links lead somewhere."""

import ast
import base64
import re
import statistics
from pathlib import Path
from urllib.parse import unquote

import build
import generate
import lesson as lessons
import lesson_trials
import nbformat
import pytest
from execution import find_faults
from lesson import NOTEBOOKS, ROOT, SOLUTIONS, Lesson

SOURCES = lessons.lesson_paths()
TEXTS = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md") if path.exists()]
STORED = sorted([*NOTEBOOKS.glob("*.ipynb"), *SOLUTIONS.glob("*.ipynb")])
MOST_SECONDS = 120
LINK = re.compile(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def lesson(path) -> Lesson:
    return lessons.read_lesson(path)


@pytest.fixture
def solved(lesson):
    return nbformat.read(SOLUTIONS / f"{lesson.name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(lesson: Lesson) -> str:
    return "\n\n".join(cell.source for cell in lesson.cells if cell.kind == "markdown")


# Sources and notebooks agree


def test_notebooks_are_what_the_source_gives(path):
    build.check(path, NOTEBOOKS)


def test_each_notebook_has_a_source():
    assert {path.stem for path in STORED} <= {path.stem for path in SOURCES}


def test_the_exercise_holds_no_solution(lesson):
    notebook = nbformat.read(NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not re.search(r"BEGIN SOLUTION|END SOLUTION|# hint:|# stub:", text)
    assert all(cell.outputs == [] for cell in code_cells(notebook))


def test_only_the_colab_cell_uses_magics(solved):
    for cell in code_cells(solved):
        if "colab" not in cell.metadata.get("tags", ()):
            ast.parse(cell.source)


# The form of a lesson


def test_length(lesson):
    shown = [cell for cell in lesson.cells if "wrong" not in cell.tags]
    lines = [len(lessons.solution_source(cell.source).splitlines()) for cell in shown if cell.kind == "code"]
    assert len(shown) <= 60, "a lesson should have 20 to 45 cells"
    assert max(lines) <= 30, "a cell of code should have at most 30 lines: move the rest to showertools"
    assert statistics.median(lines) <= 10, "most cells of code should have 2 to 8 lines"


@pytest.mark.parametrize(
    "words",
    [
        r"\*\*You will be able to\*\*",
        r"\*\*Time\*\*",
        r"\*\*You need\*\*",
        r"^#+ What you (have )?learned",
        r"^#+ Go further",
        r"^#+ References",
    ],
    ids=["goals", "time", "need", "learned", "further", "references"],
)
def test_sections(lesson, words):
    assert re.search(words, prose(lesson), flags=re.MULTILINE | re.IGNORECASE)


def test_goals_stand_in_the_title_cell(lesson):
    goals = re.findall(r"^- ", lesson.cells[0].source, flags=re.MULTILINE)
    assert 3 <= len(goals) <= 5


def test_references_have_a_doi(lesson):
    references = re.split(r"^#+ References", prose(lesson), flags=re.MULTILINE | re.IGNORECASE)[-1]
    assert re.search(r"doi\.org/10\.\d{4}", references)


def test_tasks_have_solutions_hints_and_wrong_answers(lesson):
    tasks = lessons.tasks(lesson)
    assert 3 <= len(tasks) <= 6
    for task in tasks:
        asserts = [node for node in ast.walk(ast.parse(task.check.source)) if isinstance(node, ast.Assert)]
        assert task.solutions, f"{task.check.source}: no solution stands before this check"
        assert asserts
        assert all(node.msg is not None for node in asserts), f"{task.check.source}: each assert should hold a hint"
        assert "tasks.check(" in task.check.source
        assert len(task.wrongs) >= 2, f"{task.check.source}: there should be at least two wrong answers"


# The tasks work


@pytest.mark.timeout(900)
def test_the_exercise_runs_with_every_task_open(lesson, record_property):
    said, seconds = lesson_trials.run_open(lesson)
    record_property("lesson_seconds", (lesson.name, seconds))
    assert len(said) == len(lessons.tasks(lesson))
    assert [line for line in said.values() if "still open" not in line] == []
    assert seconds < MOST_SECONDS


@pytest.mark.timeout(900)
def test_checks_pass_the_solution_and_refuse_wrong_answers(lesson):
    assert lesson_trials.faults(lesson_trials.refusals(lesson)) == []


# What is stored


def test_stored_outputs(solved):
    for cell in code_cells(solved):
        assert cell.execution_count, f"this cell was not executed:\n{cell.source}"
        assert find_faults(cell) == [], cell.source
        if "NBVAL_CHECK_OUTPUT" in cell.source:
            assert cell.outputs, f"there is no output to compare with:\n{cell.source}"


def test_figures_are_stored(lesson, solved):
    pictures = [
        base64.b64decode(output.data["image/png"])
        for cell in code_cells(solved)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert (SOLUTIONS / f"{lesson.name}.ipynb").stat().st_size < 2_000_000


# Links


def links(path: Path) -> list[str]:
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [one or other for one, other in LINK.findall(generate.DATA_URI.sub("data:", text))]


def dead(path: Path, link: str) -> bool:
    """Return whether a link to a file of this repository leads nowhere; addresses elsewhere are not visited."""
    repository, _ = generate.course()
    slug = repository.removeprefix("https://github.com/")
    here = re.search(rf"{slug}/(?:blob|tree|raw)/{generate.BRANCH}/([^?#]+)", link)
    binder = re.search(
        rf"mybinder\.org/v2/gh/{slug}/{generate.BRANCH}\?(?:urlpath=lab/tree|labpath=)/?([^&#]+)", unquote(link)
    )
    inside = here or binder
    if inside:
        return not (ROOT / unquote(inside.group(1))).exists()
    if re.match(r"[a-z]+:|#", link):
        return bool(re.search(r"mybinder\.org/v2|colab\.research\.google\.com/github", link)) and slug not in link
    return not (path.parent / unquote(link.split("#")[0])).exists()


@pytest.mark.parametrize("path", [*TEXTS, *STORED], ids=name_of)
def test_badges_and_links_lead_somewhere(path):
    assert [link for link in links(path) if dead(path, link)] == []


def test_each_notebook_has_its_own_badges(path):
    for notebook in (NOTEBOOKS / f"{path.stem}.ipynb", SOLUTIONS / f"{path.stem}.ipynb"):
        own = [
            unquote(link)
            for link in links(notebook)
            if "colab.research.google.com/github" in link or "mybinder.org/v2" in link
        ]
        assert len(own) == 2
        assert all(link.endswith("/" + name_of(notebook)) for link in own)


def test_dead_links_are_found(tmp_path):
    repository, _ = generate.course()
    slug = repository.removeprefix("https://github.com/")
    text = tmp_path / "README.md"
    binder = f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab%2Ftree%2F"
    good = [
        "README.md",
        "#part",
        "https://x.org/y",
        f"{repository}/blob/main/pyproject.toml",
        f"{binder}pyproject.toml",
    ]
    elsewhere = "https://colab.research.google.com/github/some/other/blob/main/README.md"
    bad = ["none.md", elsewhere, "../none.md#part", f"{repository}/blob/main/none.py", f"{binder}none.ipynb"]
    text.write_text(" ".join(f"[word]({link})" for link in good + bad), encoding="utf-8")
    assert [link for link in links(text) if dead(text, link)] == bad
