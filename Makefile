PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow lint clean

demo: $(STAMP)  ## the medicine domain from RDF files to claims with verdicts; leaves runs/medicine
	$(BIN)/noesis demo data/domains/medicine --run runs/medicine

test: $(STAMP)  ## the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)  ## the slow suites: large random programs, public data where present
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)  ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/python -m engine.symbolic.precompile
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs .mypy_cache .ruff_cache .pytest_cache
