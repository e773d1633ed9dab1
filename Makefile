# Versus: `make help` lists what there is. Works with GNU make 3.81 (macOS) and later.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
TORCH ?= cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
JOBS ?= 2

export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION := false
export DVC_NO_ANALYTICS := 1
export GIT_PYTHON_REFRESH := quiet

.PHONY: help setup demo test test-slow check bench ui clean

help:
	@echo "make setup      environment in .venv (Python 3.11 or 3.12; about 3 minutes, 1.5 GB)"
	@echo "                  TORCH=cpu    CPU build of PyTorch (default)"
	@echo "                  TORCH=cuda   the build that the package index gives: CUDA on Linux"
	@echo "                  TORCH_INDEX=URL  another source of CPU builds; empty: the index alone"
	@echo "                  PYTHON=PATH  this interpreter"
	@echo "make demo       every experiment at its smallest, tracked in MLflow"
	@echo "make test       lint, types, layers and all quick tests"
	@echo "make test-slow  the tests that need minutes or real processes"
	@echo "make check      lint, types, layers, and that all tests can be collected"
	@echo "make bench      ratios against peers, one script after the other"
	@echo "make ui         MLflow on 127.0.0.1"
	@echo "make clean      remove the environment and caches (results and runs stay)"

# The stamp holds the folder that the environment was made in: a copied or moved checkout would
# otherwise import the code of the old one. Without a stamp an environment is half-made.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

setup: $(STAMP)
	@:

$(STAMP): requirements.lock pyproject.toml
	@command -v git >/dev/null || { echo "setup: git is missing; install it"; exit 1; }
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$(CURDIR)" ]; then $(MAKE) --no-print-directory venv; fi
	@rm -f $(STAMP)
	@if [ "$(TORCH)" = cpu ] && [ "$$(uname -s)" = Linux ] && [ -n "$(TORCH_INDEX)" ]; then \
		echo "setup: PyTorch for CPU"; \
		$(BIN)/python -m pip install -qq --no-deps --retries 1 --timeout 15 \
			--extra-index-url "$(TORCH_INDEX)" "$$(grep '^torch==' requirements.lock)"; \
	fi
	@echo "setup: packages of requirements.lock"
	$(BIN)/python -m pip install -qq -r requirements.lock
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@printf '%s' "$(CURDIR)" > $(STAMP)

.PHONY: venv
venv:
	@for python in $(PYTHON) python3.11 python3.12 python3; do \
		"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || \
			{ echo "setup: $$python has no venv; install it (Debian, Ubuntu: $$python-venv)"; exit 1; }; \
		echo "setup: $$("$$python" --version) in $(VENV)"; \
		exec "$$python" -m venv --clear $(VENV); \
	done; \
	echo "setup: no Python 3.11 or 3.12 on PATH; install one, or name it: make setup PYTHON=/path/to/python"; \
	exit 1

demo: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mlflow run . -e demo --experiment-name demo --env-manager local

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@out=$$($(BIN)/python -m pytest --collect-only -q -p no:cacheprovider) || { echo "$$out"; exit 1; }

test: check
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m "not slow" -n $(JOBS)

test-slow: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m slow -n $(JOBS)

bench: setup
	@for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

ui: setup
	$(BIN)/versus ui

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
