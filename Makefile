# Portaria. `make run` shows the main job; `make test` runs the whole suite. Needs Python 3.11+, pip and make only.
.DEFAULT_GOAL := help
.PHONY: help run install test test-servers bench lint lock clean
.DELETE_ON_ERROR:

# The first Python of the machine that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# A virtual environment without its own pip (Debian's python3-venv is optional) is filled by the machine's.
PIP = $$($(BIN)/python -c 'import pip' 2>/dev/null && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
INSTALL = $(PIP) install --quiet --disable-pip-version-check
RECORD := .portaria/coverage.json

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

run: $(BIN)/.run  ## the main job in your terminal, then a server on https://localhost:8443 (ARGS="--once" ends after the story)
	@$(BIN)/portaria demo $(ARGS)

install: $(BIN)/.run  ## only the command, .venv/bin/portaria, for a real installation

test: $(BIN)/.test  ## the whole suite; REAL=1 makes a missing real server a failure; ARGS="tests/policies -x" runs a part
	@TEST_REAL=$(REAL) $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(if $(ARGS),$(ARGS),--requirement-record=$(RECORD))

test-servers:  ## installs the real servers the tests use: slapd, PostgreSQL, HAProxy, Keycloak, Chromium
	@sh tests/install-servers

bench: $(BIN)/.test  ## the benchmarks: JSON lines on standard output, a table on standard error
	@$(BIN)/python -m tests.bench $(ARGS)

lint: $(BIN)/.test  ## format, style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:  ## writes both lock files anew from pyproject.toml (needs pip-tools)
	pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --build-deps-for=editable --strip-extras \
		--no-header --no-emit-options --output-file requirements.lock pyproject.toml
	pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --build-deps-for=editable --extra test --strip-extras \
		--no-header --no-emit-options --constraint requirements.lock --output-file requirements-test.lock pyproject.toml

clean:  ## removes the environment, caches and the demo's data
	rm -rf .venv build *.egg-info demo .portaria .coverage* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Portaria needs Python 3.11 or newer on the PATH (or make PYTHON=/path/to/python3.11 …)" >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv

$(BIN)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what requirements.lock pins"
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.test: requirements-test.lock $(BIN)/.run
	@echo "installing what requirements-test.lock pins"
	@$(INSTALL) --require-hashes --requirement requirements-test.lock
	@touch $@
