"""One step of a network as an ONNX graph, for programs without Python."""

import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.io import replacing
from songnet.models.base import Network
from songnet.realtime.classify import about
from songnet.realtime.stream import Model


class _Step(nn.Module):
    """One step: (1, M, frames_per_step) in dB and a state to probabilities and the next state."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Probabilities now and so far, each (1, C), then the next state."""
        verdicts, after = self.network.stream(mel, state)
        return verdicts.now[:, -1].exp(), verdicts.so_far[:, -1].exp(), *after


def export_onnx(model: Model, path: str | Path) -> None:
    """Write one step as ONNX, with its state as inputs and outputs.

    Inputs are ``mel`` (1, M, frames_per_step) in dB and ``state_0``, ``state_1``, ..., all zeros at
    first; outputs ``now`` and ``so_far`` (1, C) probabilities and ``next_0``, ``next_1``, ..., the
    state of the next call. Genres, the spectrogram's definition and what the network is stand in
    the graph's metadata.

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
    mel = torch.zeros(1, network.config.n_mels, network.frames_per_step)
    # The exporter explains itself at length, to developers of torch.
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            _Step(network).eval(),
            (mel, *state),
            input_names=["mel", *(f"state_{i}" for i in range(len(state)))],
            output_names=["now", "so_far", *(f"next_{i}" for i in range(len(state)))],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    facts = {"genres": model.genres, "mel": asdict(model.mel), "about": about(model)}
    onnx.helper.set_model_props(graph, {name: json.dumps(fact) for name, fact in facts.items()})
    with replacing(path) as temporary:
        onnx.save(graph, temporary)
