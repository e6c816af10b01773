"""Reading and writing of result tables."""

from pathlib import Path

import pandas as pd

from songnet.formatting import csv_text, from_csv_text
from songnet.io import replacing

TEXT = ["dataset", "protocol", "model", "reference", "subset", "genre", "predicted"]


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a result table as CSV, with genres that look like spreadsheet formulas escaped."""
    columns = [name for name in TEXT if name in table]
    escaped = table.assign(**{name: table[name].map(csv_text, "ignore") for name in columns})
    with replacing(path) as temporary:
        escaped.to_csv(temporary, index=False)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file from `write_table`, such as results.csv or confusions.csv.

    The columns TEXT are read as strings, since pandas would convert genres such as "1980" and
    "None" to a number and a missing value.
    """
    text = dict.fromkeys(TEXT, str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values="")
    columns = [name for name in TEXT if name in table]
    return table.assign(**{name: table[name].map(from_csv_text, "ignore") for name in columns})
