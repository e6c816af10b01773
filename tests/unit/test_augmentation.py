"""Augmentation changes what it says, as strongly as it says."""

import torch

from songnet.augmentation import Augmentation

MEL = torch.arange(16 * 64 * 100, dtype=torch.float32).reshape(16, 64, 100) / 1e4


def test_nothing_by_default() -> None:
    assert torch.equal(Augmentation().change(MEL), MEL)
    targets = torch.eye(16)
    mel, same = Augmentation().mix(MEL, targets)
    assert torch.equal(mel, MEL) and torch.equal(same, targets)


def test_equaliser_is_smooth_and_constant_in_time() -> None:
    torch.manual_seed(0)
    curve = Augmentation(equaliser_db=4).change(MEL) - MEL
    torch.testing.assert_close(curve, curve[:, :, :1].expand_as(curve), atol=1e-4, rtol=0)
    assert float(curve[:, 1:, 0].sub(curve[:, :-1, 0]).abs().max()) < 2
    assert float(curve.abs().max()) > 3


def test_style_is_that_of_other_examples() -> None:
    torch.manual_seed(0)
    mel = 20 * torch.randn(16, 64, 1) + (5 + 10 * torch.rand(16, 64, 1)) * torch.randn(16, 64, 400)
    changed = Augmentation(style=0.5).change(mel)
    same = (changed - mel).abs().amax((1, 2)) < 1e-3
    assert 4 <= int(same.sum()) <= 12
    # What changes is the level and the spread of each band; the music in it stays.
    standard = [(x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True) for x in (mel, changed)]
    torch.testing.assert_close(*standard, atol=1e-3, rtol=0)
    means, stds = changed.mean(2), changed.std(2)
    assert bool((means <= mel.mean(2).amax(0) + 1e-3).all())
    assert bool((stds >= mel.std(2).amin(0) - 1e-3).all())
    assert Augmentation(style=1.0).change(torch.zeros(4, 64, 9)).abs().max() == 0
    assert Augmentation(style=1.0).change(mel[:, :, :1]).isfinite().all()


def test_mixup_keeps_most_of_each_example() -> None:
    torch.manual_seed(0)
    targets = torch.eye(16)
    mel, mixed = Augmentation(mixup=0.4).mix(MEL, targets)
    torch.testing.assert_close(mixed.sum(1), torch.ones(16))
    assert (mixed.diagonal() >= 0.5).all() and (mixed.diagonal() < 1).any()
    # Spectrograms are mixed in the same shares as targets.
    torch.testing.assert_close(mel.flatten(1), mixed @ MEL.flatten(1), atol=1e-4, rtol=1e-5)
