# Isocenter's verbs. `make help` lists them. Everything runs from .venv at the root, which `make setup` makes.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
EXTRAS ?=
# Compiling torch takes longer than uv waits by default on a slow or busy machine.
export UV_COMPILE_BYTECODE_TIMEOUT ?= 600
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --constraint constraints.txt \
	$(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
PROJECTS := $(wildcard platform/pyproject.toml training/pyproject.toml serving/pyproject.toml infra/pyproject.toml)

# make demo: DATA and LABELS name your own files; without them a synthetic set is written.
DEMO := .demo
DATA ?=
LABELS ?=
CLASSES ?= normal,pneumonia

.PHONY: help setup demo test lint bench clean

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'
	@echo
	@echo "  make setup EXTRAS=aws,postgresql  adds parts of the platform: aws, azure, gcp, kubernetes, postgresql"
	@echo "  make demo DATA=DIR LABELS=FILE    runs the main job on your own DICOM files"

setup: $(VENV)/.installed ## make .venv with everything that training and serving on this machine need

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Isocenter needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# The extras are in the stamp's content, so that asking for others installs again.
$(VENV)/.installed: $(BIN)/uv $(PROJECTS) constraints.txt
	$(UV) --quiet --editable 'platform$(if $(EXTRAS),[$(EXTRAS)])' --editable training --editable serving --editable infra
	@touch $@

ifneq ($(EXTRAS),)
.PHONY: $(VENV)/.installed
endif

$(VENV)/.installed-development: $(VENV)/.installed pyproject.toml
	$(UV) --quiet --editable 'platform[postgresql]' --group development
	@touch $@

lint: $(VENV)/.installed-development ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p isocenter -p isocenter_training -p isocenter_serving -p isocenter_infra

test: $(VENV)/.installed-development ## set up all that the tests need and run them
	@bash tests/system-packages
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(PYTEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(VENV)/.installed-development ## measure against peers, side by side; prints ratios
	$(BIN)/python bench/run.py

demo: $(VENV)/.installed ## from DICOM to a registered model on this machine (DATA=DIR LABELS=FILE for your own)
	@BIN=$(BIN) DEMO=$(DEMO) DATA='$(DATA)' LABELS='$(LABELS)' CLASSES='$(CLASSES)' bash docs/demo.sh

clean: ## remove .venv, the demo's store and caches
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +
