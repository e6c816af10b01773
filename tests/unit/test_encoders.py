"""Pretrained encoders: the port of musicnn, ONNX graphs, exact streams."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.models.base import Network, load
from songnet.models.configs import EncoderConfig
from songnet.models.encoder_networks import EncoderClassifier
from songnet.models.encoders import MusiCNNEncoder, OnnxEncoder, make_encoder
from songnet.models.head_fitting import fit_head
from songnet.models.heads import HEADS
from songnet.models.musicnn import BANDS, MAPS, MusiCNN, convert
from songnet.models.musicnn_tags import GENRES, TAGS
from songnet.pipeline.embed import embedding_of
from songnet.realtime.classify import about, description
from songnet.realtime.stream import Stream, load_model
from tests.pretrained import RATE, classifier, levels, saved, tagger


@pytest.mark.parametrize("make", [tagger, classifier])
@pytest.mark.parametrize("pieces", [[24] * 14, [240, 24, 72], [336]])
@torch.inference_mode()
def test_encoder_stream_equals_offline(make: Any, pieces: list[int]) -> None:
    network: Network = make()
    music = levels(336 + 11)
    offline = network(music)
    state, at, found = network.initial_state(1), 0, []
    waits = network.frames_per_step + network.lookahead
    for frames in pieces:
        outputs, state = network.stream(music[:, :, at : at + frames], state)
        at += frames
        assert (outputs.clip_logits.shape[1] > 0) == (at >= waits)
        found.append(outputs)
    last = network.finish(state)
    assert last is not None
    for name in ("step_logits", "clip_logits"):
        streamed = torch.cat([getattr(outputs, name) for outputs in [*found, last]], dim=1)
        torch.testing.assert_close(streamed, getattr(offline, name), atol=1e-4, rtol=0)
        assert streamed.shape[1] == 14


@torch.inference_mode()
def test_musicnn_step_ignores_music_beyond_lookahead() -> None:
    encoder = tagger().encoder
    music, changed = levels(300), levels(300)
    changed[:, :, 96 + encoder.lookahead :] += 30  # after four steps and their lookahead
    one, other = encoder(music), encoder(changed)
    torch.testing.assert_close(one[:, :4], other[:, :4])
    assert not torch.allclose(one[:, 4], other[:, 4])
    music[:, :, : 144 - encoder.past - encoder.frames_per_step] += 30  # long before the sixth step
    torch.testing.assert_close(encoder(music)[:, 6], one[:, 6])


@torch.inference_mode()
def test_step_logits_depend_on_last_seconds() -> None:
    network = classifier("logistic_regression", 0)
    music = levels(24 * 40)
    changed = music.clone()
    changed[:, :, : 24 * 10] += 10
    one, other = (network(given) for given in (music, changed))
    torch.testing.assert_close(one.step_logits[:, -5:], other.step_logits[:, -5:])
    assert not torch.allclose(one.clip_logits[:, -1], other.clip_logits[:, -1], atol=1e-3)


def test_musicnn_convolution_pads_as_tensorflow() -> None:
    """An even kernel has one more frame after its centre than before."""
    layer: Any = MusiCNN().front[2]
    assert layer.padding == (63, 64)
    with torch.no_grad():
        layer.convolution.weight.zero_()
        layer.convolution.bias.zero_()
        layer.convolution.weight[0, 0, 0, 63] = 1
        impulse = torch.zeros(1, 1, 1, 200)
        impulse[..., 100] = 1
        answer = layer.eval()(impulse)[0, 0, 0]
    assert int(answer.argmax()) == 100


def checkpoint() -> dict[str, np.ndarray]:
    """Return random tensors with TensorFlow's names and shapes."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {}
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51),
               (7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]  # fmt: skip
    for i, shape in enumerate(kernels):
        name = f"conv2d_{i}" if i else "conv2d"
        shapes |= {f"{name}/kernel": shape, f"{name}/bias": shape[-1:]}
    for i, size in enumerate([1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        fields = ("gamma", "beta", "moving_mean", "moving_variance")
        shapes |= {f"{name}/{field}": (size,) for field in fields}
    shapes |= {"dense/kernel": (1506, 200), "dense/bias": (200,)}
    shapes |= {"dense_1/kernel": (200, 50), "dense_1/bias": (50,)}
    shapes |= {"dense/kernel/Adam": (1506, 200), "beta1_power": ()}
    return {name: np.abs(rng.normal(size=shape)).astype(np.float32)
            for name, shape in shapes.items()}  # fmt: skip


def test_convert_maps_every_tensor() -> None:
    given = checkpoint()
    found = convert(given)
    network: Any = MusiCNN()
    counters = {name for name in network.state_dict() if name.endswith("num_batches_tracked")}
    assert found.keys() == network.state_dict().keys() - counters
    network.load_state_dict(found, strict=False)
    np.testing.assert_array_equal(
        network.front[1].convolution.weight[5, 0, 10].detach(),
        given["conv2d_1/kernel"][:, 10, 0, 5],
    )
    np.testing.assert_array_equal(
        network.middle[0].convolution.weight[5, 300, 0].detach(),
        given["conv2d_5/kernel"][:, 300, 0, 5],
    )
    np.testing.assert_array_equal(network.dense.weight.detach(), given["dense/kernel"].T)
    assert float(network.pooled.running_var[7]) == given["batch_normalization_9/moving_variance"][7]


@torch.inference_mode()
def test_tagger_genre_takes_its_likeliest_tag() -> None:
    network = tagger({"Jazz": ["jazz"], "Rock": ["rock", "indie rock"]})
    tags = torch.full((1, 1, len(TAGS)), 0.01)
    tags[..., [TAGS.index(name) for name in ("jazz", "rock", "indie rock")]] = torch.tensor(
        [0.2, 0.1, 0.6]
    )
    torch.testing.assert_close(network._genres(tags).exp()[0, 0], torch.tensor([0.25, 0.75]))


@torch.inference_mode()
def test_tagger_embedding_equals_encoder() -> None:
    network, music = tagger(), levels(24 * 12)
    embedding = network(music).embeddings[0, -1]
    torch.testing.assert_close(embedding, network.encoder.embed(music[0]))


def test_genres_are_groups_of_known_tags() -> None:
    assert all(tag in TAGS for tags in GENRES.values() for tag in tags)
    assert list(GENRES) == sorted(GENRES) and len(TAGS) == 50


def test_stream_of_tagger_equals_offline(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "m.safetensors", tagger(), ["Jazz", "Rock"]))
    assert "not trained on genres" in description(model) and "Jazz and Rock" in description(model)
    assert "need 1.2 s of look-ahead" in description(model)
    assert about(model)["lookahead_seconds"] == pytest.approx(1.168)
    samples = np.random.default_rng(2).normal(size=5 * 16_000).astype(np.float32)
    samples *= np.float32(0.125)
    frames = model.spectrogram.offline(samples).astype(np.float16).astype(np.float32)
    with torch.inference_mode():
        offline = model.saved.network(torch.from_numpy(frames)[None]).clip_logits[0].exp()
    for size in (700, 9_999, len(samples)):
        stream = Stream(model, 16_000)
        steps = [
            s for at in range(0, len(samples), size) for s in stream.push(samples[at : at + size])
        ]
        steps += stream.finish()
        assert len(steps) == len(offline)
        np.testing.assert_allclose([step.clip_probabilities for step in steps], offline, atol=1e-4)
        np.testing.assert_array_equal(
            np.concatenate([step.spectrogram for step in steps], axis=1).astype(np.float16),
            frames[:, : 24 * len(steps)].astype(np.float16),
        )


@pytest.mark.parametrize("kind", HEADS)
@torch.inference_mode()
def test_head_fitted_to_clips_predicts_the_same_in_streams(kind: str) -> None:
    """The outputs of dead filters are constant, but sums of them are rounded differently."""
    encoder = tagger().encoder
    labels = np.arange(45) % 3
    clips = [
        levels(96 + 24 * (i % 5), seed=i)[0]
        + 6 * torch.roll(torch.linspace(-1, 1, BANDS), 32 * k)[:, None]
        for i, k in enumerate(labels.tolist())
    ]
    embeddings = torch.stack([encoder.embed(clip) for clip in clips]).numpy()
    head = fit_head(kind, 1e-3 if kind == "mlp" else 1.0, embeddings, labels, seed=1)
    network = classifier(kind, head.size)
    network.head = head
    frames = torch.cat([clips[i] for i in (0, 3, 6, 9, 12)], dim=1)
    _, state = network.stream(frames[None], network.initial_state(1))
    last = network.finish(state)
    assert last is not None
    expected = head(encoder.embed(frames)).exp()
    torch.testing.assert_close(last.clip_logits[0, -1].exp(), expected, atol=1e-3, rtol=0)


def test_save_and_load_classifier_with_encoder(tmp_path: Path) -> None:
    network = classifier()
    path = saved(
        tmp_path / "m.safetensors", network, ["A", "B", "C"], dataset="x", protocol="artist"
    )
    again = load(path).network
    with torch.inference_mode():
        music = levels(100)
        torch.testing.assert_close(again(music).clip_logits, network(music).clip_logits)
    text = description(load_model(path))
    assert text.startswith("musicnn, trained on x (artist split). Pretrained on much music.")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX graph like musicnn's: patches (n, 48 frames, bands) of log10(1 + 10^4 power)."""

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = tagger().musicnn

        def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
            maps = self.network.maps((patches.transpose(1, 2) - 4) * 10)
            pooled = torch.stack([maps.amax(-1), maps.mean(-1)], dim=-1)
            tags = self.network.tags(self.network.penultimate(pooled))
            return tags, maps.transpose(1, 2)

    path = tmp_path_factory.mktemp("onnx") / "musicnn.onnx"
    torch.onnx.export(
        Graph().eval(), (torch.zeros(1, 48, BANDS),), path, input_names=["patches"],
        output_names=["tags", "maps"], dynamo=True, verbose=False,
    )  # fmt: skip
    return path


def exported(outputs: Any, folder: Path) -> Path:
    """Export a function of patches (n, 48, BANDS) to an ONNX graph."""

    class Graph(nn.Module):
        def forward(self, patches: Tensor) -> Tensor:
            result: Tensor = outputs(patches)
            return result

    path = folder / "graph.onnx"
    torch.onnx.export(
        Graph().eval(), (torch.zeros(1, 48, BANDS),), path, input_names=["patches"], dynamo=True,
        verbose=False,
    )  # fmt: skip
    return path


DESCRIBED: dict[str, Any] = {
    "patch_frames": 48,
    "bands": BANDS,
    "axes": "ptb",
    "scale": 0.1,
    "offset": 4.0,
}


@torch.inference_mode()
def test_onnx_encoder_equals_network(graph: Path) -> None:
    encoder = OnnxEncoder(str(graph), output="maps", **DESCRIBED)
    assert encoder.size == MAPS and encoder.frames_per_step == 48
    music = levels(48 * 3 + 20)
    patches = music[:, :, : 48 * 3].view(BANDS, 3, 48).transpose(0, 1)
    expected = tagger().musicnn.maps(patches).mean(-1)
    torch.testing.assert_close(encoder(music)[0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(encoder.embed(music[0]), expected.mean(0), atol=1e-4, rtol=1e-4)
    again = make_encoder(encoder.describe())
    torch.testing.assert_close(again(music), encoder(music))


@torch.inference_mode()
def test_onnx_encoder_head_streams(graph: Path, tmp_path: Path) -> None:
    encoder = OnnxEncoder(str(graph), output="tags", **DESCRIBED)
    config = EncoderConfig(
        BANDS, 2, RATE, encoder.describe(), encoder.size, "logistic_regression", 0
    )
    path = saved(tmp_path / "m.safetensors", EncoderClassifier(config), ["A", "B"])
    network = load(path).network
    music = levels(48 * 3)
    state, found = network.initial_state(1), []
    for i in range(3):
        outputs, state = network.stream(music[:, :, 48 * i : 48 * (i + 1)], state)
        found.append(outputs.clip_logits)
    assert network.finish(state) is None and network.lookahead == 0
    torch.testing.assert_close(torch.cat(found, dim=1), network(music).clip_logits)


def test_onnx_encoder_refuses_wrong_graphs(graph: Path, tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"file": str(tmp_path / "no.onnx")}, "no such file"),
        ({"file": __file__}, "not an ONNX graph"),
        ({"sha256": "0" * 64}, "SHA-256 is .*, expected 0"),
        ({"patch_frames": 20}, "musicnn.onnx: "),
        ({"output": "embeddings"}, "musicnn.onnx: "),
    ]
    for changed, message in wrong:
        with pytest.raises(SongNetError, match=message) as error:
            OnnxEncoder(**({"file": str(graph)} | DESCRIBED | changed))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda x: x.mean((1, 2)), r"has the shape \(1,\)"),
        (lambda x: x.reshape(-1, BANDS), r"has the shape \(48, 96\)"),
    ],
)
def test_onnx_encoder_refuses_outputs_that_are_no_embeddings(
    tmp_path: Path, outputs: Any, message: str
) -> None:
    path = exported(outputs, tmp_path)
    with pytest.raises(SongNetError, match=message):
        OnnxEncoder(str(path), **DESCRIBED)


def test_embeddings_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = exported(lambda x: (x.mean(1) - 4).log(), tmp_path)  # of levels below 0 dB
    encoder = OnnxEncoder(str(path), **DESCRIBED)
    with pytest.raises(SongNetError, match=r"graph\.onnx: an embedding is not finite"):
        embedding_of(levels(96)[0].numpy(), encoder, str(path))


@torch.inference_mode()
def test_embedding_of_clip_ignores_the_rest_after_the_last_step() -> None:
    encoder, music = tagger().encoder, levels(240 + 20)[0]
    torch.testing.assert_close(encoder.embed(music), encoder.embed(music[:, :240]), atol=0, rtol=0)


def test_make_encoder_builds_musicnn_from_kind() -> None:
    encoder = make_encoder(MusiCNNEncoder().describe())
    assert isinstance(encoder, MusiCNNEncoder) and encoder.past % encoder.frames_per_step == 0
