"""Reading the tables of a run."""

from pathlib import Path

import pandas as pd

TEXT = ["dataset", "protocol", "model", "reference", "subset", "genre", "predicted"]


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file of a run, such as results.csv or confusions.csv.

    Returns:
        Its columns; those of TEXT as they stand: genres may be called "1980" or "None", which
        pandas would take for a number and for nothing.
    """
    text = dict.fromkeys(TEXT, str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values="")
