# make demo   install into .venv and map the mines of a made-up country, offline
# make test   install what the tests need and run them
# make studies  the published workflows, as their pages say, offline, into runs/studies/
# make docs   build the documentation into site/, to be opened by double click
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SHELL  := /bin/bash

.PHONY: demo test lint studies docs clean
.DELETE_ON_ERROR:

$(VENV)/.base: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing minetrace into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train,foundation,serve,team,dask,s3,earthengine,clouds,netcdf]'
	@touch $@

demo: $(VENV)/.base
	@$(BIN)/minetrace demo

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

STUDIES := tropical-panel amazon-detector landsat-net small-mines

studies: $(VENV)/.dev
	@set -e; for study in $(notdir $(wildcard $(STUDIES:%=studies/%))); do \
	  rm -rf runs/studies/$$study; \
	  $(BIN)/python studies/walk.py studies/$$study runs/studies/$$study; \
	done

docs: $(VENV)/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

clean:
	rm -rf $(VENV) demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis
