"""Networks train, are reproducible, and resume bit-exactly."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from songnet.data.batches import (
    Subset,
    band_statistics,
    check_lengths,
    random_crops,
    repeated,
    whole_clips,
)
from songnet.data.mixtures import Mixtures
from songnet.data.resident import ResidentClips
from songnet.data.shards import MelShards
from songnet.errors import SongNetError
from songnet.features.metadata import FIELDS
from songnet.models.base import Network, make_network
from songnet.models.configs import NetworkConfig
from songnet.models.head_fitting import fit_head
from songnet.training.config import TrainingConfig
from songnet.training.loop import _learning_rate, _Trainee, train_network
from songnet.training.predict import predict_clips
from songnet.training.teacher import HEAD_STRENGTH, Teacher, fit_teacher_head

PLAIN = TrainingConfig(epochs=6, batch_size=8, crop_seconds=3.0, learning_rate=5e-3)
# All options of training at once.
FULL = replace(
    PLAIN, learning_rate=2e-2, warmup=0.2, ema_decay=0.9, label_smoothing=0.1, aux_loss_weight=0.3
)
NETWORKS: dict[str, dict[str, Any]] = {
    "crnn": {"channels": [8, 8, 8], "kernel": 3, "hidden": 8},
    "causal_crnn": {"channels": [4, 6, 8], "features": 8, "hidden": 8} | {"metadata": True},
}
CASES = [("crnn", PLAIN), ("causal_crnn", FULL)]


@pytest.fixture
def shards(tmp_path: Path) -> MelShards:
    """48 clips in two shards: genre 1 is louder in the upper bands, genre 0 in the lower ones."""
    rng = np.random.default_rng(0)
    mels = rng.normal(-40, 10, (48, 64, 60)).astype(np.float16)
    mels[1::2, 32:] += 8
    mels[::2, :32] += 8
    np.save(tmp_path / "000.npy", mels[:30])
    np.save(tmp_path / "001.npy", mels[30:])
    index = pd.DataFrame(
        {
            "file": ["000.npy"] * 30 + ["001.npy"] * 18,
            "row": [*range(30), *range(18)],
            "frames": 60,
            "seconds": 6.0,
        },
        index=np.arange(100, 148),
    )
    index.loc[105, "frames"] = 20
    return MelShards(tmp_path, index)


def subsets() -> tuple[Subset, Subset]:
    track_ids, labels = np.arange(100, 148), np.arange(48) % 2
    metadata = np.full((48, len(FIELDS)), np.nan, np.float32)
    metadata[:, 0] = np.arange(48)
    return (
        Subset(track_ids[:32], labels[:32], metadata[:32]),
        Subset(track_ids[32:], labels[32:], metadata[32:]),
    )


def taught(subset: Subset, shards: MelShards) -> Subset:
    """With a teacher that knows the mean level of each half of the bands, except for one clip."""
    levels = [shards.mel(int(i)).astype(np.float32).mean(axis=1) for i in subset.track_ids]
    targets = np.array([[level[:32].mean(), level[32:].mean()] for level in levels])
    targets[3] = np.nan
    return replace(subset, targets=targets.astype(np.float32))


def run(
    shards: MelShards,
    path: str,
    config: TrainingConfig,
    checkpoint: Path,
    with_teacher: bool = False,
    **arguments: Any,
) -> tuple[Network, list[dict[str, float]]]:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    parameters = NETWORKS[path] | ({"metadata": False} if config.teacher_head else {})
    network = make_network(path, NetworkConfig(64, 2, shards.frames_per_second), parameters)
    train, validation = subsets()
    train = taught(train, shards) if with_teacher else train
    return network, train_network(
        network, shards, train, validation, config, 1, checkpoint, **arguments
    )


@pytest.mark.parametrize(("path", "config"), CASES)
def test_train_network_learns_reproducibly(
    shards: MelShards, tmp_path: Path, path: str, config: TrainingConfig
) -> None:
    first, history = run(shards, path, config, tmp_path / "a.pt")
    again, _ = run(shards, path, config, tmp_path / "b.pt")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["validation_accuracy"] for row in history) > 0.8
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize(("path", "config"), CASES)
@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_train_network_resumes_bit_for_bit(
    shards: MelShards, tmp_path: Path, path: str, config: TrainingConfig, stop_after: int
) -> None:
    whole, history = run(shards, path, config, tmp_path / "whole.pt")

    def stop(rows: list[dict[str, float]]) -> None:
        if len(rows) == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shards, path, config, tmp_path / "cut.pt", on_epoch=stop)
    resumed, rows = run(shards, path, config, tmp_path / "cut.pt")
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in history]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_train_network_learns_from_teacher(shards: MelShards, tmp_path: Path) -> None:
    def stop(rows: list[dict[str, float]]) -> None:
        if len(rows) == 4:
            raise KeyboardInterrupt

    config = replace(FULL, teacher_weight=2.0, ema_decay=0.0, epochs=30)
    network, _ = run(shards, "causal_crnn", config, tmp_path / "whole.pt", True)
    with pytest.raises(KeyboardInterrupt):
        run(shards, "causal_crnn", config, tmp_path / "cut.pt", True, on_epoch=stop)
    resumed, _ = run(shards, "causal_crnn", config, tmp_path / "cut.pt", True)
    for name, value in network.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    # Its embedding predicts the teacher's for other clips.
    _, validation = subsets()
    told = taught(validation, shards).targets
    teacher = Teacher(8, taught(subsets()[0], shards).targets)
    teacher.load_state_dict(torch.load(tmp_path / "whole.pt", weights_only=True)["teacher"])
    mels = torch.from_numpy(np.stack([shards.mel(int(i)) for i in validation.track_ids])).float()

    with torch.no_grad():
        embeddings = network(mels, torch.from_numpy(validation.metadata)).embeddings
        errors = teacher(embeddings, torch.from_numpy(told))[:, -1]
    assert errors[4:].mean() < 0.5  # with a variance of 1


def mixtures_of(shards: MelShards, folder: Path) -> Mixtures:
    """The training clips, mixed with themselves, and two mixtures with other clips."""
    folder /= "mixtures"
    folder.mkdir()
    train = taught(subsets()[0], shards)
    known = np.isfinite(train.targets).all(axis=1)
    first = [*train.track_ids[known], 100, 147]
    table = pd.DataFrame({"first": first, "second": [*first[:-2], 146, 101]})
    values = np.concatenate([train.targets[known], np.full((2, 2), np.nan, np.float32)])
    table[["0", "1"]] = values
    table.to_parquet(folder / "000.parquet")
    mels = np.stack([repeated(shards.mel(int(i), 0, 40), 40) for i in first])
    np.save(folder / "000.npy", mels)
    return Mixtures([str(folder / "000.parquet")], train.track_ids)


def test_mixtures_are_of_training_tracks_only(shards: MelShards, tmp_path: Path) -> None:
    mixtures = mixtures_of(shards, tmp_path)
    assert len(mixtures) == 31
    mels, targets = mixtures.batch(np.random.default_rng(1), 200, 60)
    assert mels.shape == (200, 64, 60) and mels.dtype == torch.float32
    torch.testing.assert_close(mels[:, :, 40:], mels[:, :, :20])  # too short: repeated
    assert targets.shape == (200, 2) and targets.isfinite().all()
    levels = torch.stack([mels[:, :32].mean((1, 2)), mels[:, 32:].mean((1, 2))], dim=1)
    torch.testing.assert_close(levels, targets, atol=3, rtol=0)  # in dB, of the whole clip


def test_train_network_on_mixtures_resumes_bit_for_bit(shards: MelShards, tmp_path: Path) -> None:
    def stop(rows: list[dict[str, float]]) -> None:
        raise KeyboardInterrupt

    mixtures = mixtures_of(shards, tmp_path)
    config = replace(FULL, teacher_weight=2.0, teacher_head=True)
    arguments = ("causal_crnn", config)
    whole, _ = run(shards, *arguments, tmp_path / "whole.pt", True, mixtures=mixtures)
    with pytest.raises(KeyboardInterrupt):
        run(shards, *arguments, tmp_path / "cut.pt", True, mixtures=mixtures, on_epoch=stop)
    resumed, _ = run(shards, *arguments, tmp_path / "cut.pt", True, mixtures=mixtures)
    without, _ = run(shards, *arguments, tmp_path / "without.pt", True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    name = "step_output.weight"
    assert not torch.equal(without.state_dict()[name], whole.state_dict()[name])


@torch.no_grad()
def test_teacher_head_classifies_predicted_embeddings(shards: MelShards, tmp_path: Path) -> None:
    config = replace(FULL, teacher_weight=2.0, teacher_head=True, epochs=30)
    with torch.enable_grad():
        network, history = run(shards, "causal_crnn", config, tmp_path / "a.pt", True)
    train, validation = subsets()
    teacher = Teacher(8, taught(train, shards).targets)
    average = torch.load(tmp_path / "a.pt", weights_only=True)["average"]
    teacher.layer.weight.copy_(average["module.1.layer.weight"])
    teacher.layer.bias.copy_(average["module.1.layer.bias"])
    known = np.arange(len(train.labels)) != 3  # without an embedding
    targets = torch.from_numpy(taught(train, shards).targets[known])
    standard = teacher.standardised(targets).numpy()
    head = fit_head("logistic_regression", HEAD_STRENGTH, standard, train.labels[known], seed=0)
    mels = torch.from_numpy(np.stack([shards.mel(int(i)) for i in validation.track_ids])).float()
    outputs = network(mels, torch.from_numpy(validation.metadata))
    expected = head(teacher.layer(outputs.embeddings))
    torch.testing.assert_close(outputs.clip_logits, expected, atol=1e-4, rtol=1e-4)
    found = outputs.clip_logits[:, -1].argmax(-1).numpy()
    assert np.mean(found == validation.labels) > 0.8
    assert history[-1]["validation_accuracy"] == np.mean(found == validation.labels)


@torch.no_grad()
def test_teacher_ignores_constant_dimensions() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    varying = labels[:, None] + rng.normal(0, 0.3, (40, 2))
    constant = 3 + 1e-7 * rng.normal(size=(40, 50))  # rounding errors
    targets = np.hstack([varying, constant]).astype(np.float32)
    teacher = Teacher(4, targets)
    assert (teacher.standardised(torch.from_numpy(targets))[:, 2:] == 0).all()
    network = make_network("causal_crnn", NetworkConfig(64, 2, 43.0), {"hidden": 4})
    teacher.give_head(network, fit_teacher_head(teacher, targets, labels))
    without = make_network("causal_crnn", NetworkConfig(64, 2, 43.0), {"hidden": 4})
    small = Teacher(4, targets[:, :2])
    small.layer.weight.copy_(teacher.layer.weight[:2])
    small.layer.bias.copy_(teacher.layer.bias[:2])
    small.give_head(without, fit_teacher_head(small, targets[:, :2], labels))
    for name in ("clip_output.weight", "clip_output.bias"):
        found, expected = (net.state_dict()[name] for net in (network, without))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_teacher_head_needs_every_genre(shards: MelShards) -> None:
    train = taught(subsets()[0], shards)
    train.targets[train.labels == 1] = np.nan
    with pytest.raises(SongNetError, match="no training track of some genre has an embedding"):
        fit_teacher_head(Teacher(8, train.targets), train.targets, train.labels)


def test_teacher_ignores_missing_targets() -> None:
    targets = np.array([[1.0, 5.0], [3.0, np.nan], [np.nan, np.nan]], np.float32)
    teacher = Teacher(4, targets)
    with torch.no_grad():
        teacher.layer.weight.zero_()
        teacher.layer.bias.fill_(2.0)
        errors = teacher(torch.ones(3, 5, 4), torch.from_numpy(targets))
    assert errors.shape == (3, 5, 2)
    torch.testing.assert_close(errors[:, 0], torch.tensor([[9.0, 4.0], [1.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize(("path", "config"), CASES)
def test_train_network_returns_last_epoch(
    shards: MelShards, tmp_path: Path, path: str, config: TrainingConfig
) -> None:
    """Whatever the validation accuracy of earlier epochs."""
    network, history = run(shards, path, config, tmp_path / "a.pt")
    _, validation = subsets()
    logs = predict_clips(network, shards, validation.track_ids, validation.metadata)
    assert [row["epoch"] for row in history] == list(range(1, config.epochs + 1))
    last = history[-1]["validation_accuracy"]
    assert np.mean(logs.argmax(axis=1) == validation.labels) == pytest.approx(last)


def test_train_network_reports_divergence_and_keeps_checkpoint(
    shards: MelShards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, losses = _Trainee._loss, iter(range(100))
    monkeypatch.setattr(
        _Trainee, "_loss", lambda *given: whole(*given) * (torch.nan if next(losses) > 5 else 1)
    )
    with pytest.raises(
        SongNetError, match=r"^models\.yaml: training diverged: loss is nan in epoch 2; "
    ):
        run(shards, "crnn", PLAIN, tmp_path / "a.pt")
    saved = torch.load(tmp_path / "a.pt", weights_only=True)
    assert len(saved["history"]) == 1
    assert all(value.isfinite().all() for value in saved["network"].values())


@pytest.mark.parametrize(("ema_decay", "expected"), [(0.99, 55 / 15), (0.5, 49 / 12)])
def test_moving_average_is_polynomial_then_exponential(ema_decay: float, expected: float) -> None:
    """After 1, 2, ..., 5: (1 + 4 + 9 + 16 + 25) / 15; or 7 / 3 after the third, then halves."""
    path = "crnn"
    network = make_network(path, NetworkConfig(64, 2, 43.0), NETWORKS[path])
    trainee = _Trainee(network, replace(PLAIN, ema_decay=ema_decay))
    assert trainee.average is not None
    for value in range(1, 6):
        for parameter in network.parameters():
            torch.nn.init.constant_(parameter, value)
        trainee.average.update_parameters(trainee.trained)
    for parameter in trainee.predictor().parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected))


def test_learning_rate_warms_up_and_stays() -> None:
    rates = [_learning_rate(FULL, share) for share in np.linspace(0, 1, 21)]
    assert rates == pytest.approx([2e-4, 5e-3, 1e-2, 1.5e-2, *[2e-2] * 17])


def test_random_crops_are_parts_of_clips(shards: MelShards) -> None:
    train, _ = subsets()
    batches = list(random_crops(shards, train, 25, 8, np.random.default_rng(0)))
    assert [len(labels) for _, labels, *_ in batches] == [8, 8, 8, 8]
    mel, labels, metadata, told = batches[0]
    assert told.numel() == 0  # no teacher
    assert mel.shape == (8, 64, 25)
    order = np.random.default_rng(0).permutation(32)
    assert labels.tolist() == train.labels[order[:8]].tolist()
    assert metadata[:, 0].tolist() == order[:8].tolist()
    whole = shards.mel(int(train.track_ids[order[0]])).astype(np.float32)
    starts = [s for s in range(36) if np.array_equal(whole[:, s : s + 25], mel[0].numpy())]
    assert len(starts) == 1
    # Track 105 has 20 frames, so it is repeated.
    row = int(np.flatnonzero(order == 5)[0])
    short = batches[row // 8][0][row % 8].numpy()
    whole = shards.mel(105).astype(np.float32)
    np.testing.assert_array_equal(short, np.concatenate([whole, whole[:, :5]], axis=1))


def test_random_crops_are_equal_on_device(shards: MelShards) -> None:
    train, _ = subsets()
    resident = ResidentClips(shards, train.track_ids, torch.device("cpu"))
    for frames in (25, 60, 130):
        ways = [
            random_crops(shards, train, frames, 8, np.random.default_rng(0), where)
            for where in (None, resident)
        ]
        for host, device in zip(*ways, strict=True):
            assert torch.equal(host[0], device[0])
            assert torch.equal(host[1], device[1])


def test_whole_clips_share_batches_by_length(shards: MelShards) -> None:
    ids = np.arange(100, 148)
    seen = np.concatenate([places for places, _ in whole_clips(shards, ids, 16)])
    assert sorted(seen) == list(range(48))
    lengths = {mel.shape[2] for _, mel in whole_clips(shards, ids, 16)}
    assert lengths == {20, 60}
    assert {mel.shape[2] for _, mel in whole_clips(shards, ids, 16, seconds=1.5)} == {15}


def test_band_statistics(shards: MelShards) -> None:
    ids = np.arange(100, 132)
    mean, std = band_statistics(shards, ids)
    whole = np.concatenate([shards.mel(int(i)) for i in ids], axis=1).astype(np.float64)
    np.testing.assert_allclose(mean[:, 0], whole.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(std[:, 0], whole.std(axis=1), rtol=1e-4)


def test_band_statistics_of_constant_band_have_unit_deviation(tmp_path: Path) -> None:
    mels = np.random.default_rng(0).normal(-40, 10, (4, 64, 60)).astype(np.float16)
    mels[:, 60:] = -100
    np.save(tmp_path / "000.npy", mels)
    index = pd.DataFrame({"file": "000.npy", "row": range(4), "frames": 60, "seconds": 6.0})
    _, std = band_statistics(MelShards(tmp_path, index), np.arange(4))
    assert (std[60:] == 1).all() and (std[:60] > 9).all()


def test_check_lengths_reports_short_clip(shards: MelShards) -> None:
    check_lengths(shards, 20)
    with pytest.raises(SongNetError, match=r"clips\.min_seconds: track 105 has 20 frames"):
        check_lengths(shards, 21)


def test_train_network_repeats_small_data_set(
    shards: MelShards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: steps.append(1))
    # Four batches per pass, hence three passes.
    config = replace(PLAIN, epochs=2, min_steps_per_epoch=9)
    run(shards, "crnn", config, tmp_path / "a.pt")
    assert len(steps) == 2 * 12


@pytest.mark.parametrize("change", [{"mixed_precision": True}, {"compile": True}])
def test_train_network_with_mixed_precision_or_compile(
    shards: MelShards, tmp_path: Path, change: dict[str, bool]
) -> None:
    if "compile" in change and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    _, plain = run(shards, "crnn", PLAIN, tmp_path / "a.pt")
    network, history = run(shards, "crnn", replace(PLAIN, **change), tmp_path / "b.pt")
    assert history[0]["train_loss"] == pytest.approx(plain[0]["train_loss"], rel=0.05)
    assert max(row["validation_accuracy"] for row in history) > 0.8
    assert {value.dtype for value in network.state_dict().values()} <= {torch.float32, torch.int64}
