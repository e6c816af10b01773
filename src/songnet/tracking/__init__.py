"""MLflow tracking, derived from the result files: `snakemake` uploads whatever is missing."""

import os

# Set before MLflow is imported. An unreachable server then costs seconds instead of many minutes.
for _name, _value in {
    "HTTP_REQUEST_MAX_RETRIES": "2",
    "HTTP_REQUEST_TIMEOUT": "20",
    "DISABLE_TELEMETRY": "true",
    "LOGGING_LEVEL": "WARNING",
    "ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(f"MLFLOW_{_name}", _value)
