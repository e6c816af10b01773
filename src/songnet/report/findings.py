"""What a run found: the tables that results.md and the page show."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.data.selection import read_quarantine
from songnet.data.subsets import judging_subset, read_subsets
from songnet.evaluation.choice import best_validated, by_validation
from songnet.evaluation.runs import FAIREST
from songnet.evaluation.table_files import read_table
from songnet.io import read_json
from songnet.models.registry import FAMILIES, Family

Values = dict[str, Any]


@dataclass(frozen=True)
class Findings:
    """Tables of a run as its files hold them, and what the configuration says of them."""

    dataset: Values  # title, source and note
    models: dict[str, Values]  # entries of models.yaml, the best on validation first
    confidence: float  # of the intervals
    tuned: list[int]  # split seeds of the run on which settings were chosen
    results: pd.DataFrame
    differences: pd.DataFrame  # empty without a test set
    choice: pd.DataFrame  # differences from the best model on validation
    leaks: pd.DataFrame
    genres: pd.DataFrame
    confusions: pd.DataFrame
    tracks: pd.DataFrame
    quarantine: pd.DataFrame
    archives: dict[str, str]  # SHA-1 of each
    splits: dict[str, pd.Series]  # subset of each track, index track_id
    tables: list[Values]  # of users: file, sha1, columns, tracks, missing
    summaries: dict[str, Values]  # from `songnet.data.splits.split_summary`, by split

    @classmethod
    def read(cls, files: Mapping[str, Any], params: Mapping[str, Any]) -> "Findings":
        """Read the files of a run.

        Args:
            files: path or paths of each table, by its name above.
            params: dataset, models, confidence and tuned.
        """
        tables = ("results", "differences", "choice", "leaks", "genres", "confusions")
        read = {name: read_table(files[name]) for name in tables}
        return cls(
            **{name: params[name] for name in ("dataset", "confidence", "tuned")},
            models={name: params["models"][name] for name in by_validation(read["results"])},
            **read,
            tracks=pd.read_parquet(files["tracks"]),
            quarantine=read_quarantine(files["quarantine"]),
            archives=read_json(files["archives"]),
            splits={Path(path).stem: read_subsets(path) for path in files["splits"]},
            tables=[read_json(path) for path in files["feature_tables"]],
            summaries={Path(path).stem: read_json(path) for path in files["summaries"]},
        )

    @property
    def subsets(self) -> dict[str, str]:
        """Subset that evaluates each protocol: test, or validation where there is no test set.

        The fairest protocol comes first, those without a test set last.
        """
        found = {
            protocol: judging_subset(rows["subset"])
            for protocol, rows in self.confusions.groupby("protocol", sort=False)
        }
        return dict(sorted(found.items(), key=lambda item: (item[1], FAIREST.index(str(item[0])))))

    def best(self, protocol: str, family: str | None = None) -> str | None:
        """Name the model of the best validation accuracy, among all or those of a family."""
        rows = self.results[self.results["protocol"] == protocol]
        rows = rows[[family in (None, self.models[name]["family"]) for name in rows["model"]]]
        return best_validated(rows) if len(rows) else None

    def family(self, model: object) -> Family:
        """Family of a model."""
        return FAMILIES[self.models[str(model)]["family"]]

    def title(self, model: object) -> str:
        """Title of a model."""
        return str(self.models[str(model)]["title"])
