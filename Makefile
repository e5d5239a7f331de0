# make run    set up, start a server if none answers, run the default model on a prompt
# make test   set up, run the whole test suite
# make check  formatting, lint, types, layers
# make docs   rewrite the tables in docs/ that come from code
# make bench  measure (see bench/README.md)

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: run test check docs bench clean

run: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/first-run

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/installed-dev
	$(BIN)/python -m tools.make_docs

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench.cli_start
	$(BIN)/python -m bench.gguf_open
	$(BIN)/python -m bench.stream_cost

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Puna needs Python 3.11 or newer: set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The engine is compiled here for this machine's processor: about 4 minutes on 2 cores, once.
$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Puna. The engine is compiled for this machine, which takes a few minutes."
	CMAKE_BUILD_PARALLEL_LEVEL=$${CMAKE_BUILD_PARALLEL_LEVEL:-$$(getconf _NPROCESSORS_ONLN)} \
		$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
