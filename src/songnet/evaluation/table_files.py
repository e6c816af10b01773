"""Writing and reading the tables of a run."""

from pathlib import Path

import pandas as pd

from songnet.formatting import csv_text, from_csv_text
from songnet.io import replacing

TEXT = ["dataset", "protocol", "model", "reference", "subset", "genre", "predicted"]


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a CSV file of a run, in which no genre is a formula; `read_table` reads it."""
    columns = [name for name in TEXT if name in table]
    escaped = table.assign(**{name: table[name].map(csv_text, "ignore") for name in columns})
    with replacing(path) as temporary:
        escaped.to_csv(temporary, index=False)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file of a run, such as results.csv or confusions.csv.

    Returns:
        Its columns; those of TEXT as they stand: genres may be called "1980" or "None", which
        pandas would take for a number and for nothing.
    """
    text = dict.fromkeys(TEXT, str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values="")
    columns = [name for name in TEXT if name in table]
    return table.assign(**{name: table[name].map(from_csv_text, "ignore") for name in columns})
