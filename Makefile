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
# checkov pins versions that don't fit beside ours, so the policy scan has an environment of its own.
POLICY_VENV := .venv-policies
POLICY_PYTHON := $(POLICY_VENV)/bin/python
POLICY_UV = $(subst --constraint constraints.txt,--constraint policies/constraints.txt,$(subst $(BIN)/python,$(POLICY_PYTHON),$(UV)))
# kfp, the sagemaker SDK and Airflow pin what doesn't fit beside ours either; they judge our compiled pipelines.
PIPELINES_VENV := .venv-pipelines
AIRFLOW_VENV := .venv-airflow
# make policy: CLOUD scans that cloud's stacks only, NAME that deployment's (else each with a settings file);
# JSON=1 prints JSON, SARIF=FILE also writes the findings for GitHub.
STACKS := infra/cdktf.out/stacks
# Empty: scan whatever lies in STACKS.
DEPLOYMENTS := deployments
SARIF ?=
JSON ?=
PROJECTS := $(wildcard platform/pyproject.toml training/pyproject.toml serving/pyproject.toml infra/pyproject.toml)

# make test: two at a time, a file's tests together, because files share what is dear to make. The order is that of
# tests/conftest.py: the longest files first, or one process would be at the last of them alone.
PYTEST ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25
# COVERAGE=1 also says which lines were run. Nothing depends on it, and all Python code takes 1.4 times as long.
COVERAGE ?=

# make demo: DATA and LABELS name your own files; without them a synthetic set is written. TARGET=gcp-emulated
# (aws-, azure-, kubernetes-) runs the jobs through that service's real SDK; make setup EXTRAS=gcp-emulator first.
DEMO := .demo
TARGET ?= local
TARGET_NEEDS = $(if $(filter %-emulated,$(TARGET)),$(VENV)/.installed-emulated-$(TARGET:-emulated=))
# make train: further options of `isocenter pipeline run`.
ARGS ?=
DATA ?=
LABELS ?=
CLASSES ?= normal,pneumonia

# make image: which one, on which base (a Debian 12; the default needs Docker Hub), and where to push it.
IMAGE ?= training
VARIANT ?= cpu
BASE ?=
TAG ?=
PUSH ?=
ENGINE ?=

# make synth, plan, deploy ...: which cloud, and which deployment where several are on it.
CLOUD ?=
NAME ?=
EMULATE ?=
PLAN ?=
DIGEST ?=
AUTO_APPROVE ?=
FORCE ?=
REASON ?=
CLOUDS := aws gcp azure onprem local
INFRA = $(BIN)/python -m isocenter_infra
WHICH = --cloud $(CLOUD) $(if $(NAME),--name '$(NAME)')
WHERE = $(WHICH) $(if $(EMULATE),--emulate)
BINDINGS = $(if $(filter-out local,$(CLOUD)),$(VENV)/.installed-infra-$(CLOUD)) \
	$(if $(EMULATE),$(VENV)/.installed-infra-emulator)

.PHONY: help setup demo train rollback test lint lint-workflows bench clean image synth plan deploy drift destroy \
	bootstrap cloud save-state plan-matrix plan-comment plan-review policy

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'
	@echo
	@echo "  make setup EXTRAS=aws,postgresql  adds parts of the platform: aws, azure, gcp, kubernetes, postgresql,"
	@echo "                                    aws-emulator, gcp-emulator, kubernetes-emulator (azure brings its own)"
	@echo "  make demo DATA=DIR LABELS=FILE    runs the main job on your own DICOM files"
	@echo "  make train TARGET=gcp-dev DATA=DIR ARGS='--gpu l4'  trains on a deployment"
	@echo "  make demo TARGET=gcp-emulated     runs its jobs through a cloud's SDK, against an emulator"
	@echo "  make deploy CLOUD=gcp PLAN=DIR DIGEST=sha256:...  applies the plan that was looked at, and no other"

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

# The tests synthesize every cloud's stack and deploy to an emulated one.
$(VENV)/.installed-development: $(VENV)/.installed pyproject.toml infra/pyproject.toml
	$(UV) --quiet --editable 'platform[postgresql,aws,aws-emulator,azure,gcp-emulator,kubernetes-emulator]' --editable 'infra[aws,gcp,azure,onprem,emulator]' \
	  --group development
	$(BIN)/python -m isocenter_infra.bindings aws gcp azure onprem
	@touch $@

$(POLICY_VENV)/.installed: $(BIN)/uv policies/pyproject.toml policies/constraints.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(POLICY_VENV)
	$(POLICY_UV) --quiet --editable policies
	@touch $@

$(PIPELINES_VENV)/.installed: SDKS := tests/compilers/sdks/pipelines.txt
$(AIRFLOW_VENV)/.installed: SDKS := tests/compilers/sdks/airflow.txt
$(PIPELINES_VENV)/.installed $(AIRFLOW_VENV)/.installed: $(BIN)/uv $(wildcard tests/compilers/sdks/*.txt)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)") \
	  --requirement $(SDKS)
	@touch $@

lint: $(VENV)/.installed-development ## ruff, mypy (strict), and three checkers of the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p isocenter -p isocenter_training -p isocenter_serving -p isocenter_infra -p isocenter_policies
	$(BIN)/mypy $(addprefix policies/,any aws azure gcp kubernetes)
	$(MAKE) --no-print-directory lint-workflows

WORKFLOWS ?= $(wildcard .github/workflows/*.yml)

lint-workflows: $(VENV)/.installed-development
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/zizmor --offline --no-progress --quiet --persona=pedantic $(WORKFLOWS)
	@bash .github/actionlint/run $(WORKFLOWS)

# What the workflows do beyond the verbs; they read the environment (.github/plans/).
plan-matrix:
	@$(PYTHON) .github/plans/matrix.py

plan-comment:
	@$(PYTHON) .github/plans/comment.py

plan-review:
	@$(PYTHON) .github/plans/review.py

test: $(VENV)/.installed-development $(POLICY_VENV)/.installed $(PIPELINES_VENV)/.installed $(AIRFLOW_VENV)/.installed ## set up all that the tests need and run them (COVERAGE=1)
	@bash tests/system-packages
	rm -f .coverage .coverage.*
	$(BIN)/$(if $(COVERAGE),coverage run,python) -m pytest $(PYTEST)
	$(if $(COVERAGE),$(BIN)/coverage combine --quiet && $(BIN)/coverage report)

policy: $(VENV)/.installed $(POLICY_VENV)/.installed ## scan the synthesized stacks (CLOUD=, NAME=; JSON=1; SARIF=FILE for GitHub)
	@ISOCENTER_POLICY_PYTHON=$(POLICY_PYTHON) $(INFRA) policy --stacks $(STACKS) \
	  $(if $(DEPLOYMENTS),--deployments '$(DEPLOYMENTS)') \
	  $(if $(CLOUD),--cloud '$(CLOUD)') $(if $(NAME),--name '$(NAME)') $(if $(JSON),--json) $(if $(SARIF),--sarif '$(SARIF)')

bench: $(VENV)/.installed-development $(POLICY_VENV)/.installed ## measure against peers, side by side; prints ratios
	$(BIN)/python bench/run.py

# What an emulated target is made of; a real one's extra is named by the message where it lacks.
$(VENV)/.installed-emulated-%: $(VENV)/.installed platform/pyproject.toml
	$(UV) --quiet --editable 'platform[$(if $(filter azure,$*),azure,$*-emulator)]'
	@touch $@

demo: $(VENV)/.installed $(TARGET_NEEDS) ## from DICOM to a registered model on this machine (DATA=DIR LABELS=FILE for your own)
	@BIN=$(BIN) DEMO=$(DEMO) DATA='$(DATA)' LABELS='$(LABELS)' CLASSES='$(CLASSES)' TARGET='$(TARGET)' bash docs/demo.sh

train: $(VENV)/.installed $(TARGET_NEEDS) ## train and register on TARGET from DATA (LABELS, CLASSES, ARGS="--gpu l4 --spot ...")
	@[ -n '$(DATA)' ] || { echo "Which files? make train TARGET=gcp-dev DATA=DIR [LABELS=FILE] [ARGS='--gpu l4']" >&2; exit 3; }
	@$(BIN)/isocenter pipeline run --target '$(TARGET)' --data '$(DATA)' --classes '$(CLASSES)' \
	  $(if $(LABELS),--labels '$(LABELS)') $(ARGS)

# By environment and unexpanded: a reason is a sentence, and may hold quotes and dollars.
rollback: export ROLLBACK_REASON := $(value REASON)
rollback: $(VENV)/.installed ## bring the last good version of an endpoint back (NAME=, REASON='...')
	@[ -n '$(NAME)' ] || { echo "Which endpoint? make rollback NAME=chest REASON='why'" >&2; exit 3; }
	@$(BIN)/isocenter endpoint rollback '$(NAME)' --reason "$$ROLLBACK_REASON"

image: ## build IMAGE=training or serving, VARIANT=cpu or cuda, by podman, docker or buildah (BASE=, PUSH=)
	@IMAGE='$(IMAGE)' VARIANT='$(VARIANT)' BASE='$(BASE)' TAG='$(TAG)' PUSH='$(PUSH)' ENGINE='$(ENGINE)' bash docs/image.sh

cloud:
	@$(if $(filter $(CLOUD),$(CLOUDS)),,echo "Say which cloud: CLOUD=aws, gcp, azure, onprem or local" >&2; exit 2)

# A cloud's bindings come when its stack is first synthesized; nobody installs a cloud that they don't use.
# With them the platform's part of that cloud, so that `isocenter target check` works on what was deployed.
PLATFORM_EXTRA = $(if $(filter aws gcp azure,$*),[$*],$(if $(filter onprem,$*),[kubernetes]))
$(VENV)/.installed-infra-%: $(VENV)/.installed infra/pyproject.toml
	$(UV) --quiet --editable 'platform$(PLATFORM_EXTRA)' --editable 'infra[$*]'
	$(if $(filter emulator,$*),,$(BIN)/python -m isocenter_infra.bindings $*)
	@touch $@

synth: cloud $(BINDINGS) ## settings of a deployment to Terraform's JSON: infra/cdktf.out (CLOUD=, NAME=)
	@$(INFRA) synth $(WHICH)

plan: cloud $(BINDINGS) $(POLICY_VENV)/.installed ## check schema, parity and policy, then plan; changes nothing (CLOUD=, EMULATE=1)
	@$(INFRA) plan $(WHERE)

deploy: cloud $(BINDINGS) $(POLICY_VENV)/.installed ## the same, then apply that very plan and write deployments/NAME.json
	@$(INFRA) deploy $(WHERE) $(if $(PLAN),--plan '$(PLAN)') $(if $(DIGEST),--digest '$(DIGEST)') \
	  $(if $(AUTO_APPROVE),--auto-approve)

drift: cloud $(BINDINGS) $(POLICY_VENV)/.installed ## what was changed by hand since the last deploy
	@$(INFRA) drift $(WHERE)

bootstrap: cloud $(BINDINGS) $(POLICY_VENV)/.installed ## make the bucket of Terraform's state, once
	@$(INFRA) bootstrap $(WHERE)

# After an apply that could not save its state: deploy does it first, but a workflow's machine is gone by then.
save-state: cloud $(BINDINGS)
	@$(INFRA) save-state $(WHERE)

# By environment and unexpanded: a reason is a sentence, and may hold quotes and dollars.
destroy: export DESTROY_REASON := $(value REASON)
destroy: cloud $(BINDINGS) $(POLICY_VENV)/.installed ## end a deployment; data, keys and audit only with FORCE=1 REASON='...'
	@$(INFRA) destroy $(WHERE) $(if $(FORCE),--force) --reason "$$DESTROY_REASON" $(if $(AUTO_APPROVE),--auto-approve)

clean: ## remove .venv, the demo's store and caches
	rm -rf $(VENV) $(POLICY_VENV) $(PIPELINES_VENV) $(AIRFLOW_VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +
