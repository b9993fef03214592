import platform

import pytest

from showertools import precision


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu sse2 avx512f avx512_bf16 amx_tile\n", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features\t: fp asimd i8mm bf16 dgh\n", True),
        ("flags : fpu sse2 avx512f avx512_bf16x\n", False),
        ("model name : A bf16 amx_bf16 machine\nflags : fpu sse2\n", False),
        ("", False),
    ],
)
def test_instructions_are_found_by_their_names(monkeypatch, tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(precision, "_CPU_FILE", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert precision.has_bfloat16() is expected
    assert precision.fastest_policy() == ("mixed_bfloat16" if expected else "float32")


def test_where_nothing_is_known_the_answer_is_no(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "_CPU_FILE", tmp_path / "none")
    assert not precision.has_bfloat16()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert precision.fastest_policy() == "float32"
