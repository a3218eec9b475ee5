# Every target does its own set-up: Python 3.11 or newer and git are all that has to be there.
# The tests also use what they find of sshd, docker-registry, bubblewrap, iproute2 and
# systemd-analyze, and say what they skip; `.ci/run` installs all of it. `make test-all` uses
# mmdebstrap, too. Go is fetched where it is missing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-clean test test-failed test-all unit lint format bench bench-scale picture control-plane constraints wheel clean

PYTHON ?= $(firstword $(foreach it,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(it) -c 'import sys; sys.version_info >= (3, 11) and print("$(it)")' 2>/dev/null)))
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/pytest
WORKERS ?= 2

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the pinned dependencies and Fleet itself

$(READY): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Fleet needs Python 3.11 or newer on PATH" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Fleet at work on ten sandbox clusters, in two minutes; stays until Ctrl-C
	$(BIN)/python config/demo/run.py

demo-clean: ## stop the demo and remove its state
	@if [ -x $(BIN)/python ]; then $(BIN)/python config/demo/run.py --clean; fi
	rm -rf .demo

unit: $(READY) ## the tests that need nothing, in seconds
	$(PYTEST) -n $(WORKERS) tests/unit tests/rules

test: $(READY) control-plane ## everything but the long suites; at most half an hour
	$(PYTEST) -n $(WORKERS) -m "not sweep"

test-failed: $(READY) ## what failed last, once more, one after the other
	$(PYTEST) --last-failed --last-failed-no-failures none -m "not sweep"

test-all: $(READY) control-plane ## everything, with many more examples
	FLEET_TEST_EXAMPLES=thorough $(PYTEST) -n $(WORKERS)

lint: $(READY) ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## mend what `lint` can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) control-plane ## measure, beside Argo CD's published figures
	$(BIN)/python -m benchmarks

bench-scale: $(READY) ## measure a thousand sandbox clusters
	$(BIN)/python -m benchmarks.scale

picture: $(READY) ## draw the terminal of the README, of a demo that runs
	$(BIN)/python config/demo/picture.py docs/terminal.svg

control-plane: $(READY) ## build the Kubernetes of the tests, once a machine
	@$(BIN)/python -m tests.cluster.build >/dev/null || { [ "$$CI" != true ] && \
		echo "tests that need Kubernetes are skipped" >&2; }

constraints: ## pin the newest versions that pyproject.toml allows; a hash for each, no address
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	printf 'hatchling\neditables\n' | $(BIN)/uv pip compile --quiet --universal --upgrade \
		--python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra dev pyproject.toml - --output-file constraints.txt
	@! grep -n '://' constraints.txt

wheel: $(READY) ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what the targets above made here
	rm -rf .venv .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
