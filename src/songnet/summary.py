"""The last lines of a workflow run: where to look, or what went wrong."""

from pathlib import Path


def success(results: str) -> str:
    """Say where the products are."""
    report = Path(results) / "report"
    lines = [f"SongNet: done. Results are in {results}/"]
    for name in ("results.md", "results.csv", "accuracy.png", "confusion/"):
        if (report / name).exists():
            lines.append(f"  {report / name}")
    return "\n".join(lines)


def failure(results: str, started: float) -> str:
    """Repeat the error lines of the jobs that failed since ``started`` (seconds since 1970)."""
    lines = []
    for log in sorted(Path(results, "logs").rglob("*.log")):
        if log.stat().st_mtime < started:
            continue
        last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        if " error: " in last:
            lines.append(f"  {last.partition(' error: ')[2]} ({log})")
    head = "SongNet: stopped; what is finished is kept, and the next run goes on from there."
    return "\n".join([head, *lines])
