"""Schemas of the configuration files, as pydantic models with defaults."""

import re
from dataclasses import fields
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic import AfterValidator, Field, TypeAdapter, create_model, model_validator

from songnet.models.configs import NetworkConfig
from songnet.models.musicnn_tags import PRETRAINED
from songnet.models.registry import NETWORKS
from songnet.pipeline.validation import Section, distinct
from songnet.training.config import TrainingConfig

Fraction = Annotated[float, Gt(0), Lt(1)]
Positive = Annotated[float, Gt(0)]
Distinct = AfterValidator(distinct)
Addresses = Annotated[list[Annotated[str, Field(pattern="^(https?|file)://")]], Distinct]
Genres = Annotated[list[str], Len(2), Distinct]
Place = Annotated[str, AfterValidator(lambda path: str(Path(path).expanduser()))]
Names = Annotated[list[str], Len(1), Distinct]


def _axes(axes: str) -> str:
    """Check that each axis of a patch occurs exactly once."""
    if any(axes.count(axis) != 1 for axis in "pbt"):
        raise ValueError(f"p, b and t must each occur once in {axes!r}")
    return axes


def _not_fma(name: str) -> str:
    """Check that a table does not use a name reserved for FMA's features."""
    if name in ("mfcc", "all", "fma"):  # features/fma.parquet and its feature sets
        raise ValueError(f"{name!r} is reserved for FMA's features")
    return name


# config.yaml


class Split(Section):
    """Fractions of the tracks in each subset."""

    train: Fraction = 0.7
    validation: Fraction = 0.2
    test: Fraction = 0.1


class Clips(Section):
    """Clip lengths, in seconds."""

    min_seconds: Annotated[float, Ge(0.6)] = 5.0  # one step of the causal C-RNN
    clip_seconds: Positive = 30.0


class Evaluation(Section):
    """Bootstrap over artists."""

    resamples: Annotated[int, Ge(100), Le(100_000)] = 2000
    confidence: Annotated[float, Gt(0.5), Lt(1)] = 0.95


class Tracking(Section):
    """MLflow tracking."""

    live: bool = True
    experiment: Annotated[str, Field(pattern=r"^[\w .-]+$")] | None = None


class Tagging(Section):
    """Tagging of a library."""

    jobs: Annotated[int, Ge(1), Le(500)] = 32
    excerpt: Annotated[float, Ge(1)] | None = 30.0
    model: Place | None = None


class FeatureTable(Section):
    """The user's own feature table."""

    path: Annotated[Place, MinLen(1)]
    note: str = ""  # origin of the features

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, given: Any) -> Any:
        return {"path": given} if isinstance(given, str) else given


TableName = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$"), AfterValidator(_not_fma)]
Tables = dict[TableName, FeatureTable]
Protocol = Literal["random", "artist", "official"]
SplitSeed = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]  # NumPy's limit
Seeds = Annotated[list[Seed], Len(1), Distinct]
Seconds = Annotated[list[Positive], Len(1), Distinct]


class Settings(Section):
    """Schema of config.yaml; its comments explain each key."""

    dataset: str = "demo"
    archives: Place | None = None
    audio: Place | None = None
    labels: Literal["manifest", "path", "tags"] | None = None
    layout: str | None = None
    features: Literal["computed", "published"] | None = None
    mirrors: Addresses = []
    genres: Genres | None = None
    tracks_per_genre: Annotated[int, Ge(3)] | None = None
    protocols: Annotated[list[Protocol], Len(1), Distinct] = ["random", "artist", "official"]
    split: Split = Split()
    split_seeds: Annotated[list[SplitSeed], Len(1), Distinct] = [1]
    tuning_split_seeds: Annotated[list[SplitSeed], Distinct] | None = None
    models: Names | None = None
    reference: str | None = None
    seeds: Seeds | None = None  # None: the data set's seeds
    clips: Clips = Clips()
    spectrogram: dict[Any, Any] = {}  # kind and the keys of its class, which are validated later
    tables: Tables = {}
    excerpt_seconds: Seconds = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0]
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    library: Annotated[list[Place], Len(1), Distinct] | None = None
    tagging: Tagging = Tagging()


# models.yaml


@cache
def keys_of(config: type) -> Any:
    """Create a schema from a dataclass, without the fields that depend on the data."""
    of_data = {field.name for field in fields(NetworkConfig)}
    hints = get_type_hints(config, include_extras=True).items()
    # The dataclass has the defaults; only the given keys are read from this schema.
    keys: dict[str, Any] = {name: (hint, None) for name, hint in hints if name not in of_data}
    return create_model(config.__name__, __base__=Section, **keys)


class Training(keys_of(TrainingConfig)):  # type: ignore[misc]
    """Training settings of a network."""


def _importable(path: str) -> str:
    """Check that a class path can be imported, without the slow import of scikit-learn."""
    module, _, name = path.rpartition(".")
    package, *parts = module.split(".")
    spec = find_spec(package) if package else None
    for part in parts:
        spec = spec and PathFinder.find_spec(part, spec.submodule_search_locations or [])
    file = Path(spec.origin) if spec and spec.origin else None
    # A module with `import *` or `__getattr__` may provide any class, as may a compiled one.
    names = rf"\b({re.escape(name)}|__getattr__)\b|import \*"
    if not file or (file.suffix == ".py" and not re.search(names, file.read_text("utf-8"))):
        raise ValueError(f"{path!r} cannot be found")
    return path


class Entry(Section):
    """Keys of all models."""

    title: str
    poster: Annotated[float, Gt(0), Le(1)] | None = None
    seeded: bool
    on_request: bool = False


class Baseline(Entry):
    """A scikit-learn estimator."""

    family: Literal["baseline"]
    estimator: Annotated[str, AfterValidator(_importable)]
    features: str  # mfcc, all, or the name of a table
    parameters: dict[str, Any] = {}  # validated by the estimator


class Network(Entry):
    """A network of SongNet."""

    family: Literal["crnn"]
    network: Literal[*NETWORKS]  # type: ignore[valid-type]
    parameters: dict[str, Any]  # keys of the network's configuration, validated later
    teacher: str | None = None  # entry of encoders.yaml, or name of a table
    teacher_mixtures: Annotated[int, Ge(0)] = 0  # mixtures of clips that the teacher embeds, too
    training: Training

    @model_validator(mode="after")
    def _check_teacher(self) -> Self:
        head = self.training.teacher_head
        if (self.teacher_mixtures or head) and not self.teacher:
            raise ValueError("teacher_mixtures and training.teacher_head need a teacher")
        if head and (self.network != "causal_crnn" or self.parameters.get("metadata")):
            raise ValueError("training.teacher_head needs a causal_crnn without metadata")
        return self


Strengths = Annotated[list[Positive], Len(1), Distinct]


class Encoder(Entry):
    """A head on the embeddings of a pretrained encoder, or on a table."""

    family: Literal["encoder"]
    encoder: str  # entry of encoders.yaml, or name of a table
    heads: Annotated[dict[Literal["logistic_regression", "svm", "mlp"], Strengths], MinLen(1)]


class Fusion(Entry):
    """A fusion of models."""

    family: Literal["fusion"]
    members: Names


MODEL: TypeAdapter[Entry] = TypeAdapter(
    Annotated[Baseline | Network | Encoder | Fusion, Field(discriminator="family")]
)


# encoders.yaml


class PretrainedEncoder(Section):
    """Keys of all encoders."""

    title: str
    pretrained: Annotated[str, MinLen(1)]


class MusiCNN(PretrainedEncoder):
    """musicnn, downloaded from PyPI."""

    kind: Literal["musicnn"]
    pretrained: str = PRETRAINED


class Onnx(PretrainedEncoder):
    """An encoder in an ONNX file."""

    kind: Literal["onnx"]
    file: Place
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    spectrogram: dict[Any, Any] = {}
    patch_frames: Annotated[int, Ge(1)]
    scale: float = 1.0
    offset: float = 0.0
    axes: Annotated[str, Field(pattern="^[pbt1]+$"), AfterValidator(_axes)] = "ptb"
    input: str | None = None
    output: str | None = None


ENCODER: TypeAdapter[PretrainedEncoder] = TypeAdapter(
    Annotated[MusiCNN | Onnx, Field(discriminator="kind")]
)


# datasets.yaml


class Archive(Section):
    """An archive to download."""

    sha1: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Data(Section):
    """Keys of all data sets."""

    title: str
    subset: Literal["small", "medium", "large"] = "small"
    genres: Genres | None
    clips: bool = True
    metadata: bool = True
    training: Training = Training()
    seeds: Seeds = [1, 2, 3]
    shards: Annotated[int, Ge(1), Le(999)]
    note: str
    files: dict[str, Archive] = {}
    urls: Addresses = []
    features: Literal["computed", "published", "mels"]
    tables: Tables = {}
    tuning_split_seeds: Annotated[list[SplitSeed], Distinct] = []

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if not self.clips and self.features != "published":
            raise ValueError("without clips, features must be 'published'")
        return self


class Amount(Section):
    """Size of the demo."""

    tracks_per_genre: Annotated[int, Ge(3)]
    artists_per_genre: Annotated[int, Ge(3)]
    seconds: Positive
    seed: Annotated[int, Ge(0)]


Style = Literal[  # as in songnet.demo.styles, which is slow to import
    "Instrumental", "Rock", "Electronic", "International", "Pop", "Experimental", "Hip-Hop", "Folk"
]


class Synthesis(Data):
    """Synthetic music, generated locally."""

    source: Literal["synthesis"]
    subset: Literal["small"]
    genres: Annotated[list[Style], Len(2), Distinct]  # type: ignore[assignment]
    features: Literal["computed"]
    clips: Literal[True] = True
    synthesis: Amount


class Download(Data):
    """FMA's archives, downloaded."""

    source: Literal["download"]
    features: Literal["computed", "published"]
    files: dict[str, Archive]
    urls: Annotated[Addresses, MinLen(1)]


class Archives(Data):
    """The user's own archives."""

    source: Literal["archives"]
    features: Literal["computed", "published"]


class Folder(Data):
    """A folder of the user's own songs."""

    source: Literal["folder"]
    features: Literal["computed"]
    clips: Literal[True] = True
    metadata: Literal[False] = False


class Mels(Data):
    """Precomputed mel-spectrograms."""

    source: Literal["mels"]
    features: Literal["mels", "published"]
    clips: Literal[True] = True


DATASET: TypeAdapter[Data] = TypeAdapter(
    Annotated[Synthesis | Download | Archives | Folder | Mels, Field(discriminator="source")]
)
