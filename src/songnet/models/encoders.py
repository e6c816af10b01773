"""Pretrained encoders, which compute an embedding for each step."""

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
    """Base class: embeddings of steps, whose mean is the embedding of a clip."""

    frames_per_step: int
    past: int = 0  # frames before a step that its embedding depends on; a multiple of the step
    lookahead: int = 0  # frames after a step that its embedding depends on
    window: int = 1  # number of steps that a prediction needs
    size: int  # dimension of the embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the embeddings of all whole steps: (B, M, T) in dB -> (B, steps, size)."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return ``kind`` and the other arguments of `make_encoder`."""
        raise NotImplementedError

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Compute the embedding of a clip: (M, T) in dB -> (size,).

        Like a stream's, it does not depend on frames after the last whole step.
        """
        whole = spectrogram.shape[1] // self.frames_per_step * self.frames_per_step
        embeddings: Tensor = self(spectrogram[None, :, :whole])[0]
        return embeddings.mean(0)


class MusiCNNEncoder(Encoder):
    """musicnn's convolutional feature maps, averaged over a step."""

    frames_per_step = 24  # 0.38 s
    past = 72  # 63 frames for the longest filter, and 3 for each of the three layers above it
    lookahead = 73
    window = 8  # 3.1 s, since musicnn was trained on 3 s
    size = MAPS

    def __init__(self) -> None:
        super().__init__()
        self.network = MusiCNN()

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the embeddings of all whole steps."""
        return by_step(self.network.maps(spectrogram), self.frames_per_step).mean(-1)

    def describe(self) -> dict[str, Any]:
        """Return ``kind``; the weights are saved with the network."""
        return {"kind": "musicnn"}


def by_step(maps: Tensor, frames: int) -> Tensor:
    """Cut frames into whole steps: (B, D, T) -> (B, steps, D, frames)."""
    return maps.unfold(2, frames, frames).transpose(1, 2)


class OnnxEncoder(Encoder):
    """An encoder in an ONNX file, applied to consecutive patches of a spectrogram.

    Args:
        file: path of the ONNX file.
        patch_frames: frames in a patch.
        bands: frequency bands of the spectrogram.
        sha256: expected checksum of the file; None to skip the check.
        axes: order of the input's axes: p (patches), b (bands), t (time), 1 (an axis of size 1).
        scale: factor for the levels in dB.
        offset: added to the scaled levels.
        input: name of the graph's input; None for the first.
        output: name of the graph's output; None for the first. All axes between its first and last
            are averaged.

    Raises:
        SongNetError: onnxruntime is not installed, the file is missing or has a different checksum,
            or it is not an ONNX graph with such inputs and outputs, of one embedding per patch.
    """

    def __init__(
        self, file: str, patch_frames: int, bands: int, sha256: str | None = None,
        axes: str = "ptb", scale: float = 1.0, offset: float = 0.0, input: str | None = None,
        output: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.frames_per_step = patch_frames
        self._arguments: dict[str, Any] = {
            "file": str(Path(file).resolve()), "patch_frames": patch_frames, "bands": bands,
            "sha256": _checked(file, sha256), "axes": axes, "scale": scale, "offset": offset,
            "input": input, "output": output,
        }  # fmt: skip
        self._session = _session(file)
        self.size = self._run(np.zeros((1, bands, patch_frames), np.float32)).shape[1]

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Compute the embeddings of all whole patches."""
        patches = by_step(spectrogram, self.frames_per_step).flatten(0, 1)
        embeddings = np.concatenate([self._run(patch[None].cpu().numpy()) for patch in patches])
        return torch.from_numpy(embeddings).view(len(spectrogram), -1, self.size)

    def _run(self, patches: np.ndarray) -> np.ndarray:
        """Compute the embeddings (n, size) of patches (n, bands, frames) in dB."""
        arguments = self._arguments
        levels = patches * np.float32(arguments["scale"]) + np.float32(arguments["offset"])
        axes = str(arguments["axes"])
        levels = levels.transpose(["pbt".index(axis) for axis in axes if axis != "1"])
        for position in (i for i, axis in enumerate(axes) if axis == "1"):
            levels = np.expand_dims(levels, position)
        name = str(arguments["input"] or self._session.get_inputs()[0].name)
        outputs = None if arguments["output"] is None else [arguments["output"]]
        try:
            (result, *_) = self._session.run(outputs, {name: levels})
        except Exception as error:
            raise SongNetError(f"{arguments['file']}: {_first_line(error)}") from None
        result = np.asarray(result, np.float32)
        if result.ndim < 2 or len(result) != len(patches):
            raise SongNetError(
                f"{arguments['file']}: the output for {len(patches)} patch has the shape "
                f"{result.shape}, without an embedding for each patch; name another `output`"
            )
        return result.mean(axis=tuple(range(1, result.ndim - 1))) if result.ndim > 2 else result

    def describe(self) -> dict[str, Any]:
        """Return ``kind`` and all arguments, with the absolute path and the checksum."""
        return {"kind": "onnx"} | self._arguments


class TableEncoder(Encoder):
    """Precomputed embeddings in a table; it cannot embed audio."""

    frames_per_step = 1

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Raise SongNetError."""
        raise SongNetError("reads a table of features; it cannot classify audio")

    def describe(self) -> dict[str, Any]:
        """Return ``kind`` and the size."""
        return {"kind": "table", "size": self.size}


def _checked(file: str, expected: str | None) -> str:
    """Return the SHA-256 of a file after comparing it with the expected one, if any."""
    if not Path(file).is_file():
        raise SongNetError(f"{file}: no such file")
    digest = sha256(file)
    if expected is not None and digest != expected:
        raise SongNetError(f"{file}: SHA-256 is {digest}, expected {expected}")
    return digest


def _session(file: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise SongNetError(
            "encoders of kind onnx need onnxruntime: pip install onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the workflow runs jobs in parallel
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise SongNetError(f"{file}: not an ONNX graph: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def make_encoder(description: dict[str, Any]) -> Encoder:
    """Build an encoder from the output of `Encoder.describe`, without musicnn's weights."""
    values = dict(description)
    return cast("Encoder", load_class(ENCODERS[values.pop("kind")])(**values))
