"""Take the figure of the README from the executed solution of lesson 32: python notebooks/make_readme_figure.py."""

import base64
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOLUTION = ROOT / "notebooks" / "solutions" / "32_xmax.ipynb"
TARGET = ROOT / "docs" / "xmax.png"
MARK = "statistical limit"


def figure_of(notebook: dict, mark: str) -> bytes:
    """Return the first picture (PNG) among the outputs of cells whose source holds `mark`."""
    for cell in notebook["cells"]:
        if mark in "".join(cell["source"]):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return base64.b64decode("".join(output["data"]["image/png"]))
    raise SystemExit(f"{SOLUTION.name} holds no figure of a cell with '{mark}': run `make build LESSON=32`.")


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(figure_of(json.loads(SOLUTION.read_text(encoding="utf-8")), MARK))
    print(TARGET.relative_to(ROOT))
