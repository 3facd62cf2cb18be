# `make` alone prints the targets. Each target sets up what it needs, so a fresh clone can start with any of them.
PYTHON  ?= python3
WORKERS ?= 2
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
MHLIB   := $(BIN)/python -m mhlib

.DEFAULT_GOAL := help
.PHONY: help reports test test-slow calibrate lint lab bench lock clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "make: Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON=python3.12"; exit 2; }
	@echo "setting up $(VENV) (once; about two minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

reports: $(READY) ## make the demo city, render every report and the index
	@$(MHLIB) simulate --scale city
	@$(MHLIB) simulate --scale minimal
	@$(MHLIB) run params/demo/*.yml params/minimal/*.yml --workers $(WORKERS)
	@$(MHLIB) index

test: $(READY) ## run the tests (without the slow calibration tests)
	@$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadgroup -q

test-slow: $(READY) ## run the calibration and recovery tests, a quarter of their replicates
	@$(BIN)/python -m pytest -m slow -n $(WORKERS) -q

calibrate: $(READY) ## run every replicate and write docs/calibration.csv and .md
	@$(BIN)/python -m pytest -m slow -n $(WORKERS) -q --calibrate

lint: $(READY) ## check format and lint, notebooks too; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/nbstripout --verify notebooks/*.ipynb

lab: $(READY) ## open JupyterLab in notebooks/ with the kernel ready
	@$(BIN)/python -m ipykernel install --sys-prefix --name python3 --display-name "mhlib" >/dev/null
	@$(MHLIB) simulate --scale city
	@MHLIB_HOME="$(CURDIR)" $(BIN)/jupyter lab --notebook-dir notebooks

bench: $(READY) ## measure each speed promise beside its peer
	@$(BIN)/python -m benchmarks

lock: $(READY) ## renew requirements.lock from pyproject.toml (a test then holds environment.yml to both)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --upgrade -o requirements.lock

clean: ## remove what make made: .venv, reports, demo data, caches
	rm -rf $(VENV) data/synthetic data/synthetic-truth .pytest_cache .ruff_cache .hypothesis
	find reports -mindepth 1 ! -name .gitkeep -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
