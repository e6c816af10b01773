# `make run` and `make test` do all set-up themselves.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# Steps and the bars of jobs, without the inputs and outputs of each job.
SNAKEMAKE := $(BIN)/snakemake --quiet rules host reason

.PHONY: run test docs faults fuzz lint format bench gpu lock clean

run: .venv/installed
	@test -e results/demo/report/index.html || \
		echo "songnet: the demo takes 3 to 8 minutes on two cores; its music comes first, in about 1"
	$(SNAKEMAKE) --cores $(CORES)

# A file of tests stays with one worker, as its fixtures do; files begin in the order of tests/conftest.py.
# Three workers on two cores, since one of them often waits: for SLURM, a server or a browser.
test: .venv/developer lint
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 10

# The site, results/site: open index.html.
docs: .venv/developer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Kills, full disks, hostile archives: half an hour; writes tests/faults/results.md, failures and all.
faults: .venv/developer
	$(BIN)/pytest tests/faults -m "not short" --junitxml results/faults.xml; tried=$$?; \
		$(BIN)/python -m tests.faults.matrix results/faults.xml && exit $$tried

# Mutated clips against the decoder.
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

# benchmarks/results.md; on the demo, or on the clips of ARCHIVES=DIR. Of a part, such as
# ONLY="extraction streaming", the figures go to results/benchmarks.
bench: .venv/developer
	$(BIN)/python -m benchmarks $(if $(ARCHIVES),--archives $(ARCHIVES)) $(if $(RESULTS),--results $(RESULTS)) $(if $(ONLY),--only $(ONLY))

# Training on an NVIDIA GPU: checks and times, within five minutes; results/benchmarks/gpu.md.
gpu: .venv/developer
	$(BIN)/pip install --quiet --disable-pip-version-check nvidia-ml-py
	$(BIN)/python -m benchmarks.gpu

# Exact versions for every platform; those that are there stay, unless UPGRADE=--upgrade. torch's
# CUDA libraries are left out: torch names their exact versions itself, and a CPU build needs none.
# The environment of conda has those that run the workflow, not those that test it: a new linter
# must not cause training again.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
lock: .venv/developer
	$(BIN)/pip install --quiet uv
	$(COMPILE) $(UPGRADE) --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock pyproject.toml --output-file requirements.tmp
	sed -i.bak -E '/^(nvidia-|cuda-|triton)/d' requirements.lock requirements.tmp
	sed -i.bak '/^  - pip:/q' envs/songnet.yaml
	sed 's/.*/      - "&"/' requirements.tmp >> envs/songnet.yaml
	rm requirements.tmp *.bak envs/*.bak

# The demo alone; results of other data took hours and are not ours to delete.
clean:
	rm -rf results/demo resources/demo

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SongNet needs Python 3.11 or newer; name one with PYTHON=...")'
	@$(PYTHON) envs/install.py
	@touch $@

# What tests, linters and benchmarks need besides.
.venv/developer: .venv/installed
	@$(PYTHON) envs/install.py --developer
	@touch $@
