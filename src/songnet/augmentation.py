"""Random changes of training examples that leave their genre alone."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate


@dataclass(frozen=True)
class Augmentation:
    """How strongly examples are changed; zeros change nothing."""

    mixup: float = 0.0  # parameter of the Beta distribution (Zhang et al., "mixup", 2018)
    equaliser_db: float = 0.0  # standard deviation of a smooth change over the bands
    # Share of examples that sound produced like another: its mean and spread in every band, in part
    # (Zhou et al., "MixStyle", 2021; in bands: Schmid et al., "CP-JKU submission to DCASE", 2022).
    style: float = 0.0

    def change(self, mel: Tensor) -> Tensor:
        """Restyle and equalise a batch (B, M, T) in dB."""
        if self.style:
            mel = _restyled(mel, self.style)
        if self.equaliser_db:
            points = self.equaliser_db * torch.randn(len(mel), 1, 5)
            curve = interpolate(points, size=mel.shape[1], mode="linear", align_corners=True)
            mel = mel + curve.transpose(1, 2).to(mel)
        return mel

    def mix(self, mel: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mix every example of a batch with another one: (B, M, T) and (B, C)."""
        if not self.mixup:
            return mel, targets
        share = torch.distributions.Beta(self.mixup, self.mixup).sample((len(mel),))
        # The larger share stays in place, so that an example keeps most of its own label.
        share = torch.maximum(share, 1 - share).to(mel)
        other = torch.randperm(len(mel)).to(mel.device)
        mel = mel * share[:, None, None] + mel[other] * (1 - share[:, None, None])
        return mel, targets * share[:, None] + targets[other] * (1 - share[:, None])


def _restyled(mel: Tensor, share: float) -> Tensor:
    """Give a share of a batch (B, M, T) the levels and spreads of a mixture with other examples."""
    B = len(mel)
    mean = mel.mean(2, keepdim=True)  # (B, M, 1)
    std = mel.std(2, correction=0, keepdim=True).clamp_min(1.0)
    own = torch.rand(B, 1, 1).masked_fill(torch.rand(B, 1, 1) >= share, 1.0).to(mel)
    other = torch.randperm(B).to(mel.device)
    new_mean, new_std = (torch.lerp(x[other], x, own) for x in (mean, std))
    return (mel - mean) / std * new_std + new_mean
