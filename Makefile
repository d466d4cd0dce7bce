# make setup · make demo · make test · make test-long · make test-lowest · make lint · make docs · make bench ·
# make truth

PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
READY := $(VENV)/.ready
LOWEST_READY := $(LOWEST)/.ready

# loadfile: a file's tests stay in one process, so what a module or a session fixture costs
# (a simulation, a database server) is paid once. One BLAS thread per process: the processes
# already fill the cores.
PYTEST_OPTIONS := -n 2 --dist loadfile --timeout 600
TEST_ENVIRONMENT := OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-long test-lowest lint docs bench truth clean

help:
	@echo "make setup        install calib and what its tests need, in .venv"
	@echo "make demo         derive, certify and apply on simulated data"
	@echo "make test         the tests (a few minutes)"
	@echo "make test-long    the same with long tests and many more examples"
	@echo "make test-lowest  the fast tests with the oldest dependencies allowed"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make docs         the documentation as a site, in build/docs"
	@echo "make bench        time and memory, written to benchmarks/results.md"
	@echo "make truth        600 simulated derivations against the truth, in build/truth (hours)"
	@echo "make clean        remove environments, caches and build results"
	@echo "Another Python: make PYTHON=python3.12 test"

setup: $(READY)

demo: $(READY)
	$(VENV)/bin/calib demo

test: $(READY)
	$(TEST_ENVIRONMENT) $(VENV)/bin/python -m pytest $(PYTEST_OPTIONS) $(ARGS)

test-long: $(READY)
	CALIB_TEST_PROFILE=long $(TEST_ENVIRONMENT) \
	    $(VENV)/bin/python -m pytest $(PYTEST_OPTIONS) --timeout 3600 $(ARGS)

test-lowest: $(LOWEST_READY)
	$(TEST_ENVIRONMENT) $(LOWEST)/bin/python -m pytest $(PYTEST_OPTIONS) -p no:cacheprovider \
	    -m "not dials and not real_data" $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

# A warning is an error: a broken link or a docstring that cannot be read.
docs: $(READY)
	$(VENV)/bin/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "Written: build/docs/index.html"

bench: $(READY)
	$(VENV)/bin/python -m benchmarks $(ARGS)

# Fails if a simulated derivation is accepted although it is wrong, without a fitting warning.
truth: $(READY)
	$(TEST_ENVIRONMENT) $(VENV)/bin/python -m benchmarks.truth $(ARGS)

clean:
	rm -rf $(VENV) $(LOWEST) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache \
	    .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed again only when what is to be installed has changed.
$(READY): pyproject.toml constraints.txt calib/version.py
	$(call make_venv,$(VENV))
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable ".[dev]"
	@touch $@

$(LOWEST_READY): pyproject.toml constraints-lowest.txt calib/version.py
	$(call make_venv,$(LOWEST))
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints-lowest.txt --editable ".[test]"
	@touch $@

# $(call make_venv,FOLDER): says what is missing and what to do, before anything is made.
# A folder that an interrupted run left without a working pip is made anew.
define make_venv
	@command -v $(PYTHON) >/dev/null || { \
	    echo "calib: there is no '$(PYTHON)'. Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "calib: Python 3.11 or newer is needed, '$(PYTHON)' is" \
	        "$$($(PYTHON) -c 'import platform; print(platform.python_version())')." \
	        "Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "calib: '$(PYTHON)' has no venv module (Debian and Ubuntu package it apart)." \
	        "Try: apt-get install python3-venv" >&2; exit 1; }
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef
