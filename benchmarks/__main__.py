"""Run all benchmarks and write ``benchmarks/results.md``, or some into results/benchmarks.

The demo runs in a temporary folder, and the other benchmarks use its network and spectrograms,
unless --results and --archives name others.
"""

import argparse
import os
import tempfile
from pathlib import Path

# Set before numpy is imported, so that every method uses one core.
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

from studies.project import copy_project

from benchmarks import extraction, library, realtime, training_speed, workflow
from benchmarks.measure import Section, machine, report

NAMES = ["workflow", "extraction", "training", "streaming", "library"]


def main() -> None:
    """Run the benchmarks and write the results."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--archives", type=Path, help="folder with fma_<subset>.zip")
    parser.add_argument("--results", type=Path, help="results/DATASET of a finished run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--output", type=Path, help="folder for results.md and results.svg")
    options = parser.parse_args()
    about = machine()
    sections: list[Section] = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        if "workflow" in options.only:
            sections += workflow.measure(Path(folder), options.repeats)
        elif options.archives is None or options.results is None:
            workflow.run(copy_project(project), *workflow.SHORT)
        archives = options.archives or project / "resources/demo"
        results = options.results or project / "results/demo"
        archive = next(iter(sorted(archives.glob("fma_[!m]*.zip"))), archives / "fma_medium.zip")
        if "extraction" in options.only:
            sections += extraction.measure(archive.resolve(), options.repeats)
        if "training" in options.only:
            sections += training_speed.measure(results, options.repeats)
        if "streaming" in options.only:
            sections += realtime.measure(results / "best.safetensors", options.repeats)
        if "library" in options.only:
            network = results.resolve() / "best.safetensors"
            sections += library.measure(archive.resolve(), network, options.repeats)
    # Partial results do not overwrite the full ones.
    whole = set(options.only) == set(NAMES)
    output = options.output or (Path(__file__).parent if whole else Path("results/benchmarks"))
    report(sections, about, options.repeats, output)
    print(output / "results.md")


if __name__ == "__main__":
    main()
