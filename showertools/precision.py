"""Which precision trains fastest on this machine."""

from __future__ import annotations

import platform
import re
from pathlib import Path

__all__ = ["fastest_policy", "has_bfloat16"]

_CPU_FILE = Path("/proc/cpuinfo")


def has_bfloat16() -> bool:
    """Return whether the processor multiplies numbers of 16 bits (bfloat16) faster than those of 32.

    Intel's `amx_bf16` and `avx512_bf16` and Arm's `bf16` instructions count, as Linux names them. Elsewhere the answer
    is no, to be safe: without them such numbers are emulated, and slow.
    """
    if platform.system() != "Linux":
        return False
    try:
        text = _CPU_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^(flags|Features)\s*:.*\b(amx_bf16|avx512_bf16|bf16)\b", text, re.MULTILINE) is not None


def fastest_policy() -> str:
    """Return the Keras policy of precision that trains networks of convolutions fastest on this processor.

    Returns
    -------
    str
        `'mixed_bfloat16'`: weights of 32 bits, convolutions of 16; or `'float32'`.

    Examples
    --------
    >>> keras.mixed_precision.set_dtype_policy(fastest_policy())  # doctest: +SKIP
    """
    return "mixed_bfloat16" if has_bfloat16() else "float32"
