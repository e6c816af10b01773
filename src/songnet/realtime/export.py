"""Export of a network with its spectrogram to ONNX, for programs without Python."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.features.log_mel import SOFT_FLOOR, LogMelSpectrogram
from songnet.features.mel import FLOOR_POWER, MelSpectrogram, hann, mel_filters
from songnet.features.spectrogram import describe
from songnet.io import replacing
from songnet.models.encoder_networks import EncoderNetwork
from songnet.realtime.classify import about
from songnet.realtime.stream import Model

DECIBELS = 10 / np.log(10)  # factor from natural logarithm to dB


class _StreamingStep(nn.Module):
    """Maps the samples of one step and a state to probabilities and the next state."""

    window: Tensor
    filters: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        spectrogram = model.spectrogram
        assert isinstance(spectrogram, MelSpectrogram)
        self.network = model.saved.network
        self.soft = isinstance(spectrogram, LogMelSpectrogram)
        self.size, self.hop = spectrogram.n_fft, spectrogram.hop_length
        self.register_buffer("window", torch.from_numpy(hann(self.size)))
        filters = mel_filters(spectrogram.sample_rate, self.size, spectrogram.n_mels)
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()))

    @property
    def step_samples(self) -> int:
        """Number of new samples per step."""
        return self.network.frames_per_step * self.hop

    def forward(self, samples: Tensor, before: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return step and clip probabilities, each (1, C), and the next state."""
        covered = torch.cat([before, samples], dim=-1)
        # Training reads spectrograms as float16.
        spectrogram = self._spectrogram(covered).half().float()
        outputs, after = self.network.stream(spectrogram, state)
        before = covered[:, self.step_samples :]
        return outputs.step_logits[:, -1].exp(), outputs.clip_logits[:, -1].exp(), before, *after

    def _spectrogram(self, samples: Tensor) -> Tensor:
        """Convert samples (1, samples) to a spectrogram (1, M, frames_per_step) in dB."""
        frames = samples.unfold(-1, self.size, self.hop).double() * self.window
        spectra = torch.view_as_real(torch.fft.rfft(frames))  # (1, frames, bins, 2)
        power = spectra.square().sum(-1).float() @ self.filters
        floored = power + SOFT_FLOOR if self.soft else power.clamp_min(FLOOR_POWER)
        return (DECIBELS * floored.log()).transpose(1, 2)


def export_onnx(model: Model, path: str | Path) -> None:
    """Write a network with its spectrogram as ONNX, with the state as inputs and outputs.

    The inputs are ``samples`` (1, step_samples) at the spectrogram's sample rate, and ``state_0``,
    ``state_1``, ... The outputs are ``step_probabilities`` and ``clip_probabilities`` (1, C), and
    ``next_0``, ``next_1``, ..., the state for the next call. Pad the music with ``padding`` zeros
    on both sides. Initially, ``state_0`` is the first ``overlap`` samples of the padded music, and
    all other states are zero. The graph's metadata contain these numbers, the genres, the
    spectrogram's definition and a description of the network.

    Args:
        model: model to export.
        path: path of the ONNX file to write.

    Raises:
        SongNetError: the network has an encoder, or the required packages are not installed.
    """
    if isinstance(model.saved.network, EncoderNetwork):
        raise SongNetError(f"{model.path}: networks on encoders cannot be exported as a stream")
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise SongNetError("export needs two more packages: pip install onnx onnxscript") from None
    exported = _StreamingStep(model).eval()
    overlap = exported.size - exported.hop
    state = (torch.zeros(1, overlap), *model.saved.network.initial_state(1))
    names = [f"state_{i}" for i in range(len(state))]
    after = [f"next_{i}" for i in range(len(state))]
    # The exporter logs details that only concern developers of torch.
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            exported,
            (torch.zeros(1, exported.step_samples), *state),
            input_names=["samples", *names],
            output_names=["step_probabilities", "clip_probabilities", *after],
            dynamo=True,
            verbose=False,
        )  # fmt: skip
    assert program is not None
    graph = program.model_proto
    facts = {
        "genres": model.genres,
        "spectrogram": describe(model.spectrogram),
        "step_samples": exported.step_samples,
        "overlap": overlap,
        "padding": exported.size // 2,
        "about": about(model),
    }
    onnx.helper.set_model_props(graph, {name: json.dumps(fact) for name, fact in facts.items()})
    with replacing(path) as temporary:
        onnx.save(graph, temporary)
