"""What every workflow script shares: a log file, and errors that people can read."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from songnet.errors import SongNetError
from songnet.io import read_json

log = logging.getLogger("songnet")
RESULTS = "results"  # the folder of all products


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Run the body of a workflow script.

    What the script logs goes to the rule's log file. A user's error (SongNetError, a full or
    read-only disk) becomes one line on the terminal and the log's last line; anything else is a
    defect and keeps its traceback.

    Numerical libraries, which the body loads, get the threads of the job. By default each takes all
    cores: jobs side by side then wait for each other, and sums depend on the number of cores.

    Args:
        snakemake: the object that Snakemake hands to scripts.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(snakemake.threads))
    log_file = Path(snakemake.log[0])
    logging.raiseExceptions = False  # a log that cannot be written hides no other error
    try:
        _log_to(log_file)
        yield log
    except SongNetError as error:
        _fail(log_file, str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            _fail(log_file, f"{error.filename or log_file}: {error.strerror}")
        _explain(log_file, snakemake.input)
    except Exception:
        _explain(log_file, snakemake.input)
    except BaseException:
        log.error(traceback.format_exc())
        raise


def _explain(log_file: Path, inputs: Iterable[str]) -> None:
    """Blame an unexpected error on a product that cannot be read, or raise it again.

    Such a product, of a power cut say, is removed: the next run makes it again.
    """
    for path in map(Path, inputs):
        if path.parts[0] == RESULTS and _is_damaged(path):  # never what is the user's own
            path.unlink(missing_ok=True)
            _fail(log_file, f"{path}: cannot be read and was removed; the next run makes it again")
    log.error(traceback.format_exc())
    raise


def _read_text(path: Path) -> str:
    """Read a table's text, which is never empty and has no zeros, as blocks that were lost have."""
    text = path.read_text()
    if not text or "\0" in text:
        raise ValueError(path)
    return text


def _is_damaged(path: Path) -> bool:
    import numpy as np
    import pandas as pd

    readers: dict[str, Callable[[Path], Any]] = {
        ".parquet": pd.read_parquet,
        ".npy": lambda path: np.load(path, mmap_mode="r"),
        ".json": read_json,
        ".csv": _read_text,
    }
    try:
        readers.get(path.suffix, Path.stat)(path)
    except (FileNotFoundError, ValueError, EOFError):  # the first where another job removed it
        return True
    except OSError as error:  # pyarrow's has no number where the content is damaged
        return error.errno is None
    except Exception:  # such as too little memory: the file may be as it should be
        return False
    return False


def _log_to(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    # What libraries say goes there too, even from C: on the terminal it would bury the progress.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(log_file, os.O_WRONLY | os.O_APPEND), 2)


def _fail(log_file: Path, message: str) -> None:
    line = f"error: {' '.join(message.split())}"
    log.error(line)
    print(f"songnet: {line} (log: {log_file})", file=sys.stderr, flush=True)
    sys.exit(1)
