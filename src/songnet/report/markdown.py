"""The results as Markdown, for a terminal and for GitHub."""

from pathlib import Path

from songnet.report import cells
from songnet.report.findings import Findings
from songnet.report.headline import headline
from songnet.report.pages import write_page


def write_results(found: Findings, path: str | Path) -> None:
    """Write results.md.

    Args:
        found: results of the run.
        path: of the file.
    """
    write_page("results.md", path, found=found, cells=cells, headline=headline(found))
