# What there is to do here. `make demo` and `make test` set up what they need in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# make flake: what to repeat, and how often.
N ?= 10
T ?= tests/e2e

# make fuzz: how many inputs, of which the decoders get a million. `python -m scripts.fuzz --help` has more.
I ?= 1700000

# make bench: which ones, as in `make bench B=latency`; none is all.
B ?=

.PHONY: demo test check fix e2e bench docs schema flake fuzz mutants lock system-deps clean

demo: $(VENV)/.demo
	$(BIN)/python scripts/demo

test: $(VENV)/.dev system-deps
	$(BIN)/python scripts/individual_coverage.py
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check src tests scripts
	$(BIN)/ruff check src tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests scripts docs changelog.d README.md CONTRIBUTING.md
	$(BIN)/python scripts/reference.py --check

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests scripts
	$(BIN)/ruff format src tests scripts

e2e: $(VENV)/.dev system-deps
	$(BIN)/python -m pytest -m e2e

bench: $(VENV)/.dev system-deps
	PYTHONPATH=scripts/demo $(BIN)/python -m tests.bench.run $(B)

docs: $(VENV)/.dev
	$(BIN)/python scripts/reference.py

schema: $(VENV)/.dev
	$(BIN)/python scripts/reference.py --only reference/app-server

flake: $(VENV)/.dev system-deps
	for i in $$(seq $(N)); do $(BIN)/python -m pytest -q -x $(T) || exit 1; done

fuzz: $(VENV)/.dev
	$(BIN)/python -m scripts.fuzz --inputs $(I)
	$(BIN)/python -m pytest -q tests/core tests/wire --hypothesis-profile fuzz --timeout 3600

mutants: $(VENV)/.dev
	$(BIN)/python scripts/mutants.py

lock: $(VENV)/bin/python
	$(PIP) install uv
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 --extra local --group build \
		-o requirements/demo.txt pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 --extra local --group build --group dev \
		-c requirements/demo.txt -o requirements/dev.txt pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 --no-emit-package openai-codex-cli-bin \
		-o requirements/codex-sdk.txt requirements/codex-sdk.in

system-deps:
	scripts/system-deps

clean:
	rm -rf $(VENV) demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Backchannel needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/demo.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
