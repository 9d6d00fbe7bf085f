"""HTDemucs as it is written for OpenVINO: the same function as upstream's, in another form."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.workers.engine.reference import RATE, bag, hdemucs, htdemucs, music, snr
from workers.engine.channels_last import ChannelsLastCore, can_be_rewritten
from workers.engine.hybrid import HybridCore, Spectrum, prepared
from workers.engine.openvino import OpenVinoNetwork
from workers.engine.separate import Separator

FORMS: dict[str, dict[str, Any]] = {
    "as published": {},
    "no residual branches": {"dconv_mode": 0},
    "branches in the decoders alone": {"dconv_mode": 2},
    "branches of another depth": {"dconv_depth": 3, "dconv_comp": 4},
    "wider rewrites": {"context_enc": 1, "context": 2},
    "no change of channels": {"bottom_channels": 0},
    "cross first": {"t_cross_first": True},
    "group norms, none at the end": {"t_group_norm": 1, "t_norm_in_group": True, "t_norm_out": False},
    "ReLU, no layer scales": {"t_gelu": False, "t_layer_scale": False},
    "no transformer": {"t_layers": 0, "bottom_channels": 0},
    "no frequency embedding": {"freq_emb": 0},
    "three levels": {"depth": 3, "nfft": 2048},
    "another stride": {"kernel_size": 4, "stride": 2, "depth": 3, "nfft": 1024},
}


def both(network: Any, wave: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What either form makes of a segment: (ours, as upstream writes it), of the spectra and of the waves."""
    with torch.inference_mode():
        core = HybridCore(network, wave.shape[-1]).eval()
        inputs = prepared(Spectrum(network, torch.device("cpu")).forward(wave), wave)
        return list(zip(ChannelsLastCore(core).eval()(*inputs), core(*inputs), strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_network_is_the_same_function(form: str) -> None:
    # given a network whose norms do not begin with 1 and 0, as they would not after training
    network = htdemucs(**FORMS[form])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" in name or "dconv" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    assert can_be_rewritten(network)

    wave = torch.from_numpy(music(2.0).T.copy())[None]

    for ours, theirs in both(network, wave):
        assert ours.shape == theirs.shape
        assert snr(ours.numpy(), theirs.numpy()) > 100


@pytest.mark.parametrize("level", [0.0, 1e-6, 1e4])
def test_silence_and_any_level_stay_the_same_function(level: float) -> None:
    wave = torch.from_numpy(music(2.0).T.copy())[None] * level

    for ours, theirs in both(htdemucs(), wave):
        assert bool(ours.isfinite().all())
        assert float((ours - theirs).abs().max()) <= 1e-4 * float(theirs.abs().max()) + 1e-12


@pytest.mark.parametrize("seed", [0, 2])
def test_a_short_clip_in_a_silent_segment_is_as_exact(seed: int) -> None:
    # given 100 samples, and zeros behind them
    wave = torch.zeros(1, 2, 2 * RATE)
    wave[..., :100] = torch.from_numpy(music(2.0)[:100].T.copy())

    # then it costs the waves no more than a whole segment does
    _, (ours, theirs) = both(htdemucs(seed=seed), wave)
    assert snr(ours[..., :100].numpy(), theirs[..., :100].numpy()) > 105


@pytest.mark.parametrize(
    "changes",
    [
        {"norm_starts": 0},
        {"rewrite": False},
        {"depth": 5},
        {"multi_freqs": [0.25, 0.75]},
        {"t_norm_first": False, "t_norm_out": False},
    ],
    ids=str,
)
def test_what_it_does_not_know_keeps_upstreams_form(changes: dict[str, Any]) -> None:
    assert not can_be_rewritten(htdemucs(**changes))


def test_other_families_keep_upstreams_form() -> None:
    assert not can_be_rewritten(hdemucs())


def test_a_network_of_upstreams_form_runs_in_openvino_too() -> None:
    separator = Separator(bag(htdemucs(norm_starts=2)))

    assert isinstance(separator.network(0), OpenVinoNetwork)
