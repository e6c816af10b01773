"""Configuration of the training of networks: fields, defaults and allowed values.

The workflow validates models.yaml against it at every start, so this module does not import torch.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

Count = Annotated[int, Ge(1)]
Share = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class TrainingConfig:
    """Training parameters of a network."""

    epochs: Count = 40  # the last one is kept, so that validation accuracy stays unbiased
    batch_size: Annotated[int, Ge(2)] = 32  # batch normalisation needs two examples or more
    min_steps_per_epoch: Annotated[int, Ge(0)] = 0  # an epoch repeats small data sets to reach this
    crop_seconds: Annotated[float, Gt(0)] = 10.0  # length of the random crops of each epoch
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    warmup: Share = 0.0  # share of all steps with linear warm-up of the learning rate
    weight_decay: Annotated[float, Ge(0)] = 1e-2  # of matrices, not of biases and normalisations
    label_smoothing: Share = 0.0
    aux_loss_weight: Annotated[float, Ge(0)] = 0.0  # weight of the loss at single steps
    teacher_weight: Annotated[float, Ge(0)] = 1.0  # weight of the loss on a teacher's embeddings
    teacher_head: bool = False  # whether a head on the teacher's embeddings replaces the outputs
    ema_decay: Share = 0.0  # decay of the exponential moving average of weights; 0 for none
    mixed_precision: bool | None = None  # bfloat16; null enables it where hardware supports it
    compile: bool = False  # use torch.compile; worthwhile for long trainings on a GPU
