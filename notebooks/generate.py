"""Generates the two notebooks of a lesson from its source: the exercise and the solution."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import nbformat
from lesson import ROOT, Cell, Lesson, LessonError, exercise_source, solution_source
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

BRANCH = "main"
PICTURE_LIMIT = 60_000  # bytes of a picture to expect, as base64
DATA_URI = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_LINK = re.compile(r"(!?\[[^\]]*\]\(|<img [^>]*src=\")([^)\"\s]+)")


def course() -> tuple[str, str]:
    """Return the address of the repository and the version, as `pyproject.toml` has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].rstrip("/"), project["version"]


def badges(path: str) -> str:
    """Return the badges that open a notebook in Colab and Binder.

    Parameters
    ----------
    path : str
        The notebook's path in the repository.

    Returns
    -------
    str
        Markdown.
    """
    repository, _ = course()
    slug = repository.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{slug}/blob/{BRANCH}/{path}"
    binder = f"https://mybinder.org/v2/gh/{slug}/{BRANCH}?urlpath={quote(f'lab/tree/{path}', safe='')}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})\n"
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def install_source() -> str:
    """Return the code of the first code cell, which installs the package when the notebook runs in Colab."""
    repository, version = course()
    return (
        "# In Colab, this installs what the course brings along; elsewhere it is there already.\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f"    %pip install -q git+{repository}@v{version}\n\n"
        "import showertools  # before Keras: TensorFlow's start-up messages stay quiet"
    )


def solution(lesson: Lesson) -> NotebookNode:
    """Return the solution notebook of a lesson, not yet executed."""
    cells = []
    for cell in _shown(lesson):
        source = cell.source
        if cell.kind == "code":
            source = solution_source(source)
        elif cell.index == 0:
            source = _title(source, f"notebooks/solutions/{lesson.name}.ipynb", f"[Exercise](../{lesson.name}.ipynb)")
        else:
            source = _links_one_deeper(source)
        cells += [_cell(lesson, cell, source), *_install_cell(lesson, cell)]
    return _notebook(cells)


def exercise(lesson: Lesson, solved: NotebookNode | None) -> NotebookNode:
    """Return the exercise notebook of a lesson.

    Parameters
    ----------
    lesson : Lesson
        The lesson.
    solved : NotebookNode, optional
        Its executed solution, which holds the figures to expect; without it the exercise shows none.

    Returns
    -------
    NotebookNode
        Without outputs.
    """
    pictures = {cell.id: _pictures(cell) for cell in solved.cells} if solved is not None else {}
    cells = []
    for cell in _shown(lesson):
        source = cell.source
        if cell.kind == "code":
            try:
                source = exercise_source(source)
            except LessonError as error:
                raise LessonError(f"{lesson.name}, cell {cell.index + 1}: {error}") from error
        elif cell.index == 0:
            path = f"solutions/{lesson.name}.ipynb"
            source = _title(source, f"notebooks/{lesson.name}.ipynb", f"[Solution]({path})")
        cells += [_cell(lesson, cell, source), *_install_cell(lesson, cell)]
        if "expected" in cell.tags and solved is not None:
            cells.append(_expected_cell(lesson, cell, pictures.get(_cell_id(lesson, cell), [])))
    return _notebook(cells)


def _shown(lesson: Lesson) -> Iterator[Cell]:
    return (cell for cell in lesson.cells if "wrong" not in cell.tags)


def _cell_id(lesson: Lesson, cell: Cell) -> str:
    """Return an identifier that stays the same from one build to the next."""
    return f"{lesson.name}-{sum(shown.index < cell.index for shown in _shown(lesson)):02d}"


def _cell(lesson: Lesson, cell: Cell, source: str) -> NotebookNode:
    make = new_code_cell if cell.kind == "code" else new_markdown_cell
    metadata = {"tags": list(cell.tags)} if cell.tags else {}
    return make(source, id=_cell_id(lesson, cell), metadata=metadata)


def _install_cell(lesson: Lesson, cell: Cell) -> list[NotebookNode]:
    if cell.index != 0:
        return []
    return [new_code_cell(install_source(), id=f"{lesson.name}-colab", metadata={"tags": ["colab"]})]


def _title(source: str, path: str, twin: str) -> str:
    title, _, rest = source.partition("\n")
    return f"{title}\n\n{badges(path)}\n{twin}\n\n{rest.lstrip()}".rstrip()


def _links_one_deeper(source: str) -> str:
    """Make the relative links of a cell right for a notebook in the folder of the solutions."""

    def deeper(match: re.Match[str]) -> str:
        start, target = match.groups()
        stays = re.match(r"[a-z]+:|#|\d+_\w+\.ipynb", target)
        return match.group() if stays else f"{start}../{target}"

    return _LINK.sub(deeper, source)


def _notebook(cells: list[NotebookNode]) -> NotebookNode:
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return new_notebook(cells=cells, metadata=metadata)


def _pictures(cell: NotebookNode) -> list[bytes]:
    data = (output.get("data", {}).get("image/png") for output in cell.get("outputs", ()))
    return [base64.b64decode(picture) for picture in data if picture]


def _expected_cell(lesson: Lesson, cell: Cell, pictures: list[bytes]) -> NotebookNode:
    if not pictures:
        raise LessonError(f"{lesson.name}, cell {cell.index + 1}: a cell tagged 'expected' should draw a figure.")
    images = "\n".join(
        f"![The figure to expect](data:image/png;base64,{base64.b64encode(shrunk(picture)).decode()})"
        for picture in pictures
    )
    # Which pictures these are; how a smaller copy is encoded may change with the version of Pillow.
    digest = hashlib.sha256(b"".join(pictures)).hexdigest()
    text = f"If your code is right, the figure looks like this:\n\n{images}"
    return new_markdown_cell(text, id=f"{_cell_id(lesson, cell)}-figure", metadata={"pictures_sha256": digest})


def shrunk(picture: bytes, limit: int = PICTURE_LIMIT) -> bytes:
    """Return a PNG picture that takes at most `limit` bytes as base64: fewer colours first, then fewer pixels."""
    factor = 1.0
    smaller = picture
    while len(smaller) * 4 > limit * 3:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        buffer = io.BytesIO()
        image.resize(size, Image.Resampling.LANCZOS).quantize(128).save(buffer, "PNG", optimize=True)
        smaller = buffer.getvalue()
        factor *= 0.8
    return smaller


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that it is never there in part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def to_text(notebook: NotebookNode) -> str:
    """Return a notebook as it is stored."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def without_outputs(notebook: NotebookNode) -> list[tuple[object, ...]]:
    """Return what regenerating a notebook must reproduce: kinds, identifiers, tags and texts of its cells."""
    return [
        (cell.cell_type, cell.id, dict(cell.metadata), DATA_URI.sub("data:image/png", cell.source))
        for cell in notebook.cells
    ]
