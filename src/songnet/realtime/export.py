"""One step of a network as an ONNX graph, for programs without Python."""

import json
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.features.spectrogram import describe
from songnet.io import replacing
from songnet.models.base import Network
from songnet.realtime.classify import about
from songnet.realtime.stream import Model


class _Step(nn.Module):
    """One step: (1, M, frames_per_step) in dB and a state to probabilities and the next state."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, spectrogram: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Probabilities of the step and of the clip, each (1, C), then the next state."""
        outputs, after = self.network.stream(spectrogram, state)
        return outputs.step_logits[:, -1].exp(), outputs.clip_logits[:, -1].exp(), *after


def export_onnx(model: Model, path: str | Path) -> None:
    """Write one step as ONNX, with its state as inputs and outputs.

    Inputs are ``spectrogram`` (1, M, frames_per_step) in dB and ``state_0``, ``state_1``, ..., all
    zeros at first; outputs ``step_probabilities`` and ``clip_probabilities`` (1, C) and ``next_0``,
    ``next_1``, ..., the state of the next call. Genres, the spectrogram's definition and what the
    network is stand in the graph's metadata.

    Raises:
        SongNetError: the packages for it are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise SongNetError("export needs two more packages: pip install onnx onnxscript") from None
    network = model.saved.network
    state = network.initial_state(1)
    spectrogram = torch.zeros(1, network.config.n_bands, network.frames_per_step)
    # The exporter explains itself at length, to developers of torch.
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            _Step(network).eval(),
            (spectrogram, *state),
            input_names=["spectrogram", *(f"state_{i}" for i in range(len(state)))],
            output_names=[
                "step_probabilities",
                "clip_probabilities",
                *(f"next_{i}" for i in range(len(state))),
            ],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    facts = {
        "genres": model.genres,
        "spectrogram": describe(model.spectrogram),
        "about": about(model),
    }
    onnx.helper.set_model_props(graph, {name: json.dumps(fact) for name, fact in facts.items()})
    with replacing(path) as temporary:
        onnx.save(graph, temporary)
