"""Log file and error handling shared by all workflow scripts."""

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
RESULTS = "results"  # folder of all outputs


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Run the body of a workflow script with logging to the rule's log file.

    A user error (SongNetError, a full or read-only disk) is printed as one line on the terminal and
    at the end of the log. Any other exception is a bug and keeps its traceback.

    Args:
        snakemake: the object that Snakemake passes to scripts.
    """
    log_file = Path(snakemake.log[0])
    logging.raiseExceptions = False  # a failing log must not hide the error
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
    """Attribute an unexpected error to a damaged input file, or raise it again.

    A damaged file below results/, for example after a power cut, is deleted, so that the next run
    creates it again.
    """
    for path in map(Path, inputs):
        if path.parts[0] == RESULTS and _is_damaged(path):  # never delete the user's own files
            path.unlink(missing_ok=True)
            _fail(log_file, f"{path}: is damaged and was deleted; the next run creates it again")
    log.error(traceback.format_exc())
    raise


def _read_text(path: Path) -> str:
    """Read the text of a table; an empty text or zero bytes mean that blocks were lost."""
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
    except (FileNotFoundError, ValueError, EOFError):  # not found: deleted by another job
        return True
    except OSError as error:  # pyarrow sets no errno for damaged content
        return error.errno is None
    except Exception:  # such as lack of memory: the file may be intact
        return False
    return False


def _log_to(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    # Library output goes there too, even from C: on the terminal it would hide the progress.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(log_file, os.O_WRONLY | os.O_APPEND), 2)


def _fail(log_file: Path, message: str) -> None:
    line = f"error: {' '.join(message.split())}"
    log.error(line)
    print(f"songnet: {line} (log: {log_file})", file=sys.stderr, flush=True)
    sys.exit(1)
