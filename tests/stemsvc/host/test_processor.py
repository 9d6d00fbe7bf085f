"""What a processor's names of its instructions mean for `fast`."""

from __future__ import annotations

import pytest

from stemsvc.host import processor
from workers.engine.precision import Precision, resolve
from workers.host.capabilities import precisions

EPYC = frozenset({"avx2", "avx512f", "avx512_vnni", "avx512_bf16"})
XEON = EPYC | {"amx_tile", "amx_bf16"}
CASES = [
    ({"sse2"}, "", False),
    ({"avx2"}, "", False),
    ({"avx2", "avx512f", "avx512_vnni"}, "", False),
    (EPYC, "", True),
    ({"avx512f", "amx_tile", "amx_bf16"}, "", True),
    ({"avx512f", "amx_tile", "amx_int8"}, "", False),
    (EPYC, "AVX512_CORE", False),
    (EPYC, "avx2", False),
    (EPYC, "AVX512_CORE_BF16", True),
    (frozenset(), "", False),
]


@pytest.mark.parametrize(
    ("flags", "limit", "gains"),
    [
        (EPYC, "", False),  # a Xeon whose AMX a virtual machine hides: 0.71 of the speed of fp32
        (EPYC, "AVX512_CORE_BF16", False),
        (XEON, "", True),
        (XEON, "AVX512_CORE_AMX", True),
        (XEON, "AVX512_CORE_BF16", False),
        (XEON, "AVX512_CORE", False),
    ],
)
def test_of_intel_s_only_those_with_amx_gain(
    monkeypatch: pytest.MonkeyPatch, flags: frozenset[str], limit: str, gains: bool
) -> None:
    monkeypatch.setattr(processor, "flags", lambda: flags)
    monkeypatch.setattr(processor, "vendor", lambda: processor.INTEL)
    monkeypatch.setenv(processor.ONEDNN, limit)

    assert processor.has_bf16() is gains


@pytest.mark.parametrize(("flags", "limit", "gains"), CASES)
def test_fast_is_offered_where_the_processor_has_bf16_and_may_use_it(
    monkeypatch: pytest.MonkeyPatch, flags: frozenset[str], limit: str, gains: bool
) -> None:
    monkeypatch.setattr(processor, "flags", lambda: frozenset(flags))
    monkeypatch.setattr(processor, "vendor", lambda: "AuthenticAMD")
    monkeypatch.setenv(processor.ONEDNN, limit)

    assert processor.has_bf16() is gains
    assert precisions("cpu") == (["fp32", "fast"] if gains else ["fp32"])
    assert resolve("fast", "cpu") is (Precision.FAST if gains else Precision.FP32)
    # and other devices do not depend on it
    assert precisions("cuda:0") == ["fp32", "mixed", "fast"]
    assert resolve("fast", "cuda:0") is Precision.FAST
    assert (precisions("mps"), resolve("fast", "mps")) == (["fp32"], Precision.FP32)


def test_the_widest_instructions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    monkeypatch.setattr(processor, "flags", lambda: EPYC)
    assert processor.instruction_set() == "avx512_bf16"

    monkeypatch.setattr(processor, "flags", frozenset)
    assert processor.instruction_set()
