# make demo: from a fresh clone to a verdict. make test: everything that needs no network, GPU or browser.
# Both make .venv first, where it is missing or older than what it is made from.

SHELL := /bin/bash
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
	$$each -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$each && break; done)
READY := .venv/.ready
LOCKED := $(wildcard constraints/*.txt)
# What a new release of a dependency breaks first: how a model is opened and run, and what our numbers are held against.
RANGE_TESTS := tests/unit/engine tests/unit/models tests/parity tests/story/test_resume.py
# One thread a process: the tests' matrices are tiny, and threads that wait for each other cost tenfold.
PYTEST := OMP_NUM_THREADS=1 .venv/bin/python -m pytest

.PHONY: help demo test test-oldest test-newest test-slow test-gpu test-browser bench lock lint format clean

help:  ## these lines
	@grep -E '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 26

demo: $(READY)  ## a real study on a small real task, into runs/demo
	.venv/bin/tuneoff demo

test: $(READY)  ## all tests but those below
	$(PYTEST) -n auto

test-oldest test-newest: test-%:  ## engine, models, parity and a story with the oldest or newest dependencies
	$(PYTHON) scripts/set_up.py .venv-$* --versions $*
	.venv-$*/bin/python scripts/versions.py
	OMP_NUM_THREADS=1 .venv-$*/bin/python -m pytest -n auto $(RANGE_TESTS)

test-slow: $(READY)  ## tests with the real models, which are fetched
	$(PYTEST) -m slow

test-gpu: $(READY)  ## tests that need an NVIDIA GPU
	$(PYTEST) -m gpu

test-browser: $(READY)  ## tests that open the report in Chromium
	$(PYTEST) -m browser

bench: $(READY)  ## every claim of speed against its peer, into runs/benchmarks.jsonl
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/torch.txt -e '.[bench]'
	mkdir -p runs
	set -o pipefail; .venv/bin/python -m benchmarks all | tee runs/benchmarks.jsonl
	.venv/bin/python -m benchmarks --table runs/benchmarks.jsonl

lock: $(READY)  ## resolve constraints/ anew: what set-ups install from then on
	.venv/bin/python scripts/lock.py

lint: $(READY)  ## ruff: rules and layout
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: $(READY)  ## fix what ruff can fix
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:  ## remove .venv and caches; runs/ stays
	rm -rf .venv .venv-oldest .venv-newest .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml scripts/set_up.py $(LOCKED)
	@test -n "$(PYTHON)" || { echo "tuneoff needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) scripts/set_up.py .venv
	@touch $@
