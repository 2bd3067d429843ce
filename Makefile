# A fresh machine needs git, make and Python 3.11 or newer, nothing else.
#
#   make quickstart   set up .venv, then check, train and predict on New York's weather
#   make test         the same set-up, then the whole test suite
#   make help         every other target
#
# Settings:
#   TORCH_INDEX=ADDRESS   an extra package index with the torch build you want, as PyTorch's
#                         "Get started" page prints it (CPU only saves gigabytes on Linux)
#   PYTHON=python3.12     the interpreter to build .venv with
#   CONFIG=a.yaml         the config that quickstart runs
#   ARGS="-k panel -x"    more arguments for pytest in make test

CONFIG ?= configs/nyc-weather.yaml
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-compile -c constraints.txt
EXTRA_INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SAY := @printf '\n==> %s\n'

# Where a machine forbids cached bytecode, every process compiles torch and pandas anew: 5 s each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test properties test-devices lint types schema docs bench constraints clean distclean FORCE

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' \
	  | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.runtime  ## .venv with everything that forecasting needs

quickstart: $(VENV)/.runtime  ## check, train and predict on the bundled New York weather
	$(SAY) '1 of 3: forecast check $(CONFIG)'
	@$(BIN)/forecast check $(CONFIG)
	$(SAY) '2 of 3: forecast train $(CONFIG)'
	@$(BIN)/forecast train $(CONFIG)
	$(SAY) '3 of 3: forecast predict $(CONFIG)'
	@$(BIN)/forecast predict $(CONFIG)
	@$(BIN)/python -m pipelines.jobs.quickstart $(CONFIG)

test: $(VENV)/.dev  ## the whole test suite
	$(SAY) 'running the tests'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-devices: $(VENV)/.dev  ## every model on several processes, ranks that die, two hosts (minutes)
	$(SAY) 'running the tests of several processes'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'ddp or devices' $(ARGS)

properties: $(VENV)/.dev  ## 5,000 tables written in any way, against what pandas computes
	@FORECAST_EXAMPLES=5000 $(BIN)/python -m pytest -q -n0 tests/data/test_any_table.py

lint: $(VENV)/.lint  ## style, import borders, dependencies, Dockerfile, compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python .ci/structure.py
	$(BIN)/deptry forecast pipelines
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml

types: $(VENV)/.lint  ## mypy, strict
	$(BIN)/mypy

schema: $(VENV)/.lint  ## every config in configs/ against the schema that forecast prints
	@$(BIN)/forecast schema > $(VENV)/schema.json
	$(BIN)/check-jsonschema --check-metaschema $(VENV)/schema.json
	$(BIN)/check-jsonschema --schemafile $(VENV)/schema.json configs/*.yaml configs/*/*.yaml

docs: $(VENV)/.docs  ## the documentation site in build/site, built strictly
	$(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.dev  ## measure start-up and training throughput on this machine
	@for script in benchmarks/*.py; do printf '\n==> %s\n' "$$script"; $(BIN)/python "$$script" || exit 1; done

constraints: $(VENV)/.lint  ## write constraints.txt anew from what .venv holds
	@{ grep '^#' constraints.txt; $(BIN)/python -m pip --disable-pip-version-check freeze --exclude-editable \
	  | sed 's/+.*//' | LC_ALL=C sort -f; } > constraints.new && mv constraints.new constraints.txt

clean:  ## remove what tests and linters leave behind
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info

distclean: clean  ## clean, and .venv too (not your runs and forecasts)
	rm -rf $(VENV)

# --- the set-up: each stamp is made once and again only when what it was made from changes ---

$(VENV)/bin/python:
	@set -e; good=; for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info)' 2>/dev/null; then good=$$candidate; break; fi; \
	done; \
	if [ -z "$$good" ]; then \
	  echo 'Python 3.11 or newer is needed; found: $(if $(PYTHON),$(PYTHON): )'"$$($(or $(PYTHON),python3) --version 2>&1 || echo none)"'.' >&2; \
	  echo 'Install one, or name it: make PYTHON=/path/to/python3.12 $(or $(MAKECMDGOALS),setup)' >&2; exit 1; fi; \
	if ! "$$good" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$good cannot make virtual environments: its venv module is missing." >&2; \
	  echo 'On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; fi; \
	printf '\n==> making %s with %s\n' '$(VENV)' "$$($$good --version)"; \
	"$$good" -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(SAY) 'installing torch (the largest package; only this once)'
	@if [ -n '$(TORCH_INDEX)' ]; then $(BIN)/python -m pip --disable-pip-version-check uninstall -qq -y torch 2>/dev/null || true; fi
	@$(PIP) $(EXTRA_INDEX) torch
	$(SAY) 'installing the rest (about 100 packages; only this once)'
	@$(PIP) $(EXTRA_INDEX) -e .
	@echo '$(TORCH_INDEX)' > $(VENV)/.torch_index
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(SAY) 'installing what the tests need'
	@$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.lint: $(VENV)/.dev
	$(SAY) 'installing what the linters need'
	@$(PIP) -e '.[dev,lint]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(SAY) 'installing what the site needs'
	@$(PIP) -e '.[dev,docs]'
	@touch $@

# Another TORCH_INDEX than last time: torch is installed again.
ifneq ($(strip $(TORCH_INDEX)),)
ifneq ($(TORCH_INDEX),$(shell cat $(VENV)/.torch_index 2>/dev/null))
$(VENV)/.runtime: FORCE
endif
endif
