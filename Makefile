# `make run` and `make test` install everything they need.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# Show the steps and progress bars, but not the inputs and outputs of each job.
SNAKEMAKE := $(BIN)/snakemake --quiet rules host reason

.PHONY: run test docs faults fuzz lint format bench gpu lock clean

run: .venv/installed
	@test -e results/demo/report/index.html || \
		echo "songnet: the demo takes 3 to 8 minutes on two cores, including 1 minute to generate music"
	$(SNAKEMAKE) --cores $(CORES)

# All tests of a file run in one worker, which shares its fixtures; tests/conftest.py orders the files.
# Three workers suit two cores, since one often waits for SLURM, a server or a browser. A crashed one
# is not replaced, because pytest-xdist 3.8 then waits for ever (its issue 1378).
test: .venv/developer lint
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --durations 10

# Documentation, written to results/site: open index.html.
docs: .venv/developer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Kills, full disks and hostile archives, for half an hour. Writes tests/faults/results.md even if
# tests fail.
faults: .venv/developer
	$(BIN)/pytest tests/faults -m "not short" --junitxml results/faults.xml; tried=$$?; \
		$(BIN)/python -m tests.faults.matrix results/faults.xml && exit $$tried

# Fuzz the decoder with mutated clips.
fuzz: .venv/developer
	$(BIN)/python -m tests.faults.fuzz --minutes 10

lint: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: .venv/developer
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# Write benchmarks/results.md, measured on the demo or on the clips of ARCHIVES=DIR. A part, such as
# ONLY="extraction streaming", is written to results/benchmarks instead.
bench: .venv/developer
	$(BIN)/python -m benchmarks $(if $(ARCHIVES),--archives $(ARCHIVES)) $(if $(RESULTS),--results $(RESULTS)) $(if $(ONLY),--only $(ONLY))

# Check and time training on an NVIDIA GPU, within five minutes. Writes results/benchmarks/gpu.md.
gpu: .venv/developer
	$(BIN)/pip install --quiet --disable-pip-version-check nvidia-ml-py
	$(BIN)/python -m benchmarks.gpu

# Lock exact versions for every platform; existing versions are kept unless UPGRADE=--upgrade. CUDA
# libraries are left out, because torch pins them itself and its CPU build needs none. The conda
# environment excludes development packages, so that a new linter does not cause retraining.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
lock: .venv/developer
	$(BIN)/pip install --quiet uv
	$(COMPILE) $(UPGRADE) --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock pyproject.toml --output-file requirements.tmp
	sed -i.bak -E '/^(nvidia-|cuda-|triton)/d' requirements.lock requirements.tmp
	sed -i.bak '/^  - pip:/q' envs/songnet.yaml
	sed 's/.*/      - "&"/' requirements.tmp >> envs/songnet.yaml
	rm requirements.tmp *.bak envs/*.bak

# Delete the demo only, since results of other data sets may have taken hours.
clean:
	rm -rf results/demo resources/demo

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SongNet needs Python 3.11 or newer; name one with PYTHON=...")'
	@$(PYTHON) envs/install.py
	@touch $@

# Additional packages for tests, linters and benchmarks.
.venv/developer: .venv/installed
	@$(PYTHON) envs/install.py --developer
	@touch $@
