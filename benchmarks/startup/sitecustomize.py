"""Record the CPU time of start-up, imports and in total for every Python process of a run.

Python imports this file automatically if its folder is in PYTHONPATH. Each process writes one JSON
file with CPU seconds to the folder named by STARTUP_RECORDS.
"""

import atexit
import builtins
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_START = time.process_time()  # start-up of the interpreter
_import = builtins.__import__
_depth = 0
_importing = 0.0


def _timed_import(*arguments: Any, **options: Any) -> Any:
    global _depth, _importing
    before = time.process_time()
    _depth += 1
    try:
        return _import(*arguments, **options)
    finally:
        _depth -= 1
        if not _depth:
            _importing += time.process_time() - before


def _write(folder: str, pid: int) -> None:
    if os.getpid() != pid:  # a fork of the recorded process
        return
    times = os.times()
    record = {
        "command": sys.argv,
        "startup": _START + _importing,
        "cpu": times.user + times.system + times.children_user + times.children_system,
    }
    Path(folder, f"{pid}.json").write_text(json.dumps(record))


if "STARTUP_RECORDS" in os.environ:
    builtins.__import__ = _timed_import
    atexit.register(_write, os.environ["STARTUP_RECORDS"], os.getpid())
