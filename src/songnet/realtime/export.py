"""A network with its spectrogram as an ONNX graph, for programs without Python."""

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
from songnet.realtime.classify import about
from songnet.realtime.stream import Model

DECIBELS = 10 / np.log(10)  # of a natural logarithm


class _Listener(nn.Module):
    """One step of music: samples and a state to probabilities and the next state."""

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
        """Samples from one step to the next."""
        return self.network.frames_per_step * self.hop

    def forward(self, samples: Tensor, before: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Probabilities of the step and of the clip, each (1, C), then the next state."""
        covered = torch.cat([before, samples], dim=-1)
        # As training reads spectrograms.
        spectrogram = self._spectrogram(covered).half().float()
        outputs, after = self.network.stream(spectrogram, state)
        before = covered[:, self.step_samples :]
        return outputs.step_logits[:, -1].exp(), outputs.clip_logits[:, -1].exp(), before, *after

    def _spectrogram(self, samples: Tensor) -> Tensor:
        """(1, samples) -> (1, M, frames_per_step) in dB."""
        frames = samples.unfold(-1, self.size, self.hop).double() * self.window
        spectra = torch.view_as_real(torch.fft.rfft(frames))  # (1, frames, bins, 2)
        power = spectra.square().sum(-1).float() @ self.filters
        floored = power + SOFT_FLOOR if self.soft else power.clamp_min(FLOOR_POWER)
        return (DECIBELS * floored.log()).transpose(1, 2)


def export_onnx(model: Model, path: str | Path) -> None:
    """Write a network with its spectrogram as ONNX, with its state as inputs and outputs.

    Inputs are ``samples`` (1, step_samples) at the spectrogram's sample rate and ``state_0``,
    ``state_1``, ...; outputs ``step_probabilities`` and ``clip_probabilities`` (1, C) and
    ``next_0``, ``next_1``, ..., the state of the next call. Music has ``padding`` zeros before and
    after it. Its first ``overlap`` samples, these zeros among them, are the first ``state_0``; all
    other states are zeros at first. These numbers, the genres, the spectrogram's definition and
    what the network is stand in the graph's metadata.

    Raises:
        SongNetError: the packages for it are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise SongNetError("export needs two more packages: pip install onnx onnxscript") from None
    listener = _Listener(model).eval()
    overlap = listener.size - listener.hop
    state = (torch.zeros(1, overlap), *model.saved.network.initial_state(1))
    names = [f"state_{i}" for i in range(len(state))]
    after = [f"next_{i}" for i in range(len(state))]
    # The exporter explains itself at length, to developers of torch.
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            listener,
            (torch.zeros(1, listener.step_samples), *state),
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
        "step_samples": listener.step_samples,
        "overlap": overlap,
        "padding": listener.size // 2,
        "about": about(model),
    }
    onnx.helper.set_model_props(graph, {name: json.dumps(fact) for name, fact in facts.items()})
    with replacing(path) as temporary:
        onnx.save(graph, temporary)
