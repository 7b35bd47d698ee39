# The whole project from a shell: every target works on a fresh clone with Python 3.11 and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ONLY ?=
MINUTES ?= 60
CALLS ?= 1000000
SWITCHES ?= 50

.PHONY: demo test durability soak vhost-soak switches lint bench clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/iioplab run demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

durability: $(STAMP)
	DURABILITY_ROUNDS=200 $(BIN)/python -m pytest tests/net/test_durability.py

soak: $(STAMP)
	SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -s tests/net/test_soak.py

vhost-soak: $(STAMP)
	VHOST_CALLS=$(CALLS) $(BIN)/python -m pytest -s tests/lab/test_virtual_host_memory.py

switches: $(STAMP)
	CLUSTER_SWITCHES=$(SWITCHES) $(BIN)/python -m pytest -s tests/lab/test_cluster_clients.py -k throughout

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.:tools:fuzz $(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) bench.json
