"""MLflow as a view of the result files: the next `snakemake` uploads what is missing there."""

import os

# Before MLflow is loaded. A dead server costs seconds, not the client's default of many minutes.
for _name, _value in {
    "HTTP_REQUEST_MAX_RETRIES": "2",
    "HTTP_REQUEST_TIMEOUT": "20",
    "DISABLE_TELEMETRY": "true",
    "LOGGING_LEVEL": "WARNING",
    "ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(f"MLFLOW_{_name}", _value)
