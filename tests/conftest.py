import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
for variable in THREADS:  # before NumPy is imported: it reads them once
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

SECONDS = "lesson_seconds"
SLOW = 60.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the lessons that take too long in the quick profile."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    seconds = {name: value for report in reports for key, (name, value) in _times(report) if key == SECONDS}
    slow = {name: value for name, value in seconds.items() if value > SLOW}
    if slow:
        terminalreporter.section("slow lessons", red=True, bold=True)
        for name, value in sorted(slow.items()):
            terminalreporter.line(f"{name} takes {value:.0f} s in the quick profile, more than {SLOW:.0f} s.")


def _times(report: pytest.TestReport) -> list[tuple[str, tuple[str, float]]]:
    return [(key, tuple(value)) for key, value in getattr(report, "user_properties", []) if key == SECONDS]
