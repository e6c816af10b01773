"""Pretrained encoders: embeddings of music, step by step, from networks that others trained."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.io import load_class, sha256
from songnet.models.musicnn import MAPS, MusiCNN
from songnet.models.registry import ENCODERS


class Encoder(nn.Module):
    """Base class: embeddings of steps, of which a clip's is the mean."""

    frames_per_step: int
    past: int = 0  # frames before a step that its embedding depends on; whole steps
    lookahead: int = 0  # frames after it
    window: int = 1  # steps that together are music enough for a prediction
    size: int  # numbers of an embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Embeddings of all whole steps: (B, M, T) in dB -> (B, steps, size)."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return ``kind`` and what else `make_encoder` needs."""
        raise NotImplementedError

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Embedding of a clip: (M, T) in dB -> (size,)."""
        embeddings: Tensor = self(spectrogram[None])[0]
        return embeddings.mean(0)


class MusiCNNEncoder(Encoder):
    """Mean over a step of what musicnn's convolutions say of each frame."""

    frames_per_step = 24  # 0.38 s
    past = 72  # 63 frames of its longest filter, 3 of each of three layers above
    lookahead = 73
    window = 8  # 3.1 s: it was trained on 3
    size = MAPS

    def __init__(self) -> None:
        super().__init__()
        self.network = MusiCNN()

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Embeddings of all whole steps."""
        return by_step(self.network.maps(spectrogram), self.frames_per_step).mean(-1)

    def describe(self) -> dict[str, Any]:
        """Return ``kind``; its weights are saved with the network."""
        return {"kind": "musicnn"}


def by_step(maps: Tensor, frames: int) -> Tensor:
    """Cut the frames of whole steps: (B, D, T) -> (B, steps, D, frames)."""
    return maps.unfold(2, frames, frames).transpose(1, 2)


class OnnxEncoder(Encoder):
    """Any encoder in a file of ONNX that takes patches of a spectrogram, one after the other.

    Args:
        file: path.
        patch_frames: frames of a patch.
        sha256: of the file; None where it is not known.
        axes: of the input, in their order: p (patches), b (bands), t (time), 1 for one of size 1.
        scale: of the levels in dB.
        offset: added to the scaled levels.
        input: name of the graph's input; None for the first.
        output: name of the graph's output; None for the first. Of more than two axes, those
            between the first and the last are averaged.

    Raises:
        SongNetError: onnxruntime is not installed, the file is missing, another or no such graph.
    """

    def __init__(
        self, file: str, patch_frames: int, bands: int, sha256: str | None = None,
        axes: str = "ptb", scale: float = 1.0, offset: float = 0.0, input: str | None = None,
        output: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.frames_per_step = patch_frames
        self._described: dict[str, Any] = {
            "file": str(Path(file).resolve()), "patch_frames": patch_frames, "bands": bands,
            "sha256": _checked(file, sha256), "axes": axes, "scale": scale, "offset": offset,
            "input": input, "output": output,
        }  # fmt: skip
        self._session = _session(file)
        self.size = self._run(np.zeros((1, bands, patch_frames), np.float32)).shape[1]

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Embeddings of all whole patches."""
        patches = by_step(spectrogram, self.frames_per_step).flatten(0, 1)
        found = np.concatenate([self._run(patch[None].cpu().numpy()) for patch in patches])
        return torch.from_numpy(found).view(len(spectrogram), -1, self.size)

    def _run(self, patches: np.ndarray) -> np.ndarray:
        """Embeddings (n, size) of patches (n, bands, frames) in dB."""
        known = self._described
        levels = patches * np.float32(known["scale"]) + np.float32(known["offset"])
        axes = str(known["axes"])
        levels = levels.transpose(["pbt".index(axis) for axis in axes if axis != "1"])
        for place in (i for i, axis in enumerate(axes) if axis == "1"):
            levels = np.expand_dims(levels, place)
        name = str(known["input"] or self._session.get_inputs()[0].name)
        outputs = None if known["output"] is None else [known["output"]]
        try:
            (found, *_) = self._session.run(outputs, {name: levels})
        except Exception as error:
            raise SongNetError(f"{known['file']}: {_first_line(error)}") from None
        found = np.asarray(found, np.float32)
        return found.mean(axis=tuple(range(1, found.ndim - 1))) if found.ndim > 2 else found

    def describe(self) -> dict[str, Any]:
        """Return ``kind``, the file's place and sum, and what its input is."""
        return {"kind": "onnx"} | self._described


class TableEncoder(Encoder):
    """Embeddings that somebody else computed, in a table: no audio can be embedded."""

    frames_per_step = 1

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Fail."""
        raise SongNetError("reads a table of features; it cannot classify audio")

    def describe(self) -> dict[str, Any]:
        """Return ``kind`` and the size."""
        return {"kind": "table", "size": self.size}


def _checked(file: str, expected: str | None) -> str:
    """SHA-256 of a file, which must be the expected one."""
    if not Path(file).is_file():
        raise SongNetError(f"{file}: no such file")
    found = sha256(file)
    if expected is not None and found != expected:
        raise SongNetError(f"{file}: SHA-256 is {found}, expected {expected}")
    return found


def _session(file: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise SongNetError(
            "encoders of kind onnx need a package: pip install onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # jobs run side by side
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has many, of no common class
        raise SongNetError(f"{file}: not a graph of ONNX: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def make_encoder(description: dict[str, Any]) -> Encoder:
    """Build the encoder that `Encoder.describe` has described; musicnn's weights come after."""
    values = dict(description)
    return cast("Encoder", load_class(ENCODERS[values.pop("kind")])(**values))
