"""How networks are trained: fields, defaults and what values are allowed.

The check of models.yaml reads them at every start of the workflow, so nothing here loads torch.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

Count = Annotated[int, Ge(1)]
Share = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained."""

    epochs: Count = 40  # the last is kept: validation chooses none, and stays an unbiased measure
    batch_size: Annotated[int, Ge(2)] = 32  # batch normalisation compares examples
    min_steps_per_epoch: Annotated[int, Ge(0)] = 0  # small data sets are gone through repeatedly
    crop_seconds: Annotated[float, Gt(0)] = 10.0  # random part of each clip, new in every epoch
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    warmup: Share = 0.0  # share of the steps in which the rate grows to that
    weight_decay: Annotated[float, Ge(0)] = 1e-2  # of matrices, not of biases and normalisations
    label_smoothing: Share = 0.0
    aux_loss_weight: Annotated[float, Ge(0)] = 0.0  # weight of the loss at single steps
    teacher_weight: Annotated[float, Ge(0)] = 1.0  # of the loss against a teacher's embedding
    ema_decay: Share = 0.0  # decay of the running average of weights that is kept; 0 for none
    mixed_precision: bool | None = None  # bfloat16; null: where the machine computes in it
    compile: bool = False  # with torch.compile; pays on a GPU in long trainings
