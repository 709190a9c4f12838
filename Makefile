# `make run` and `make test` set up everything they need in .venv; only Python (>= 3.11) and make must be there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-all test-slow test-browser figures gallery lint format clean

run: .venv/installed
	$(BIN)/python -m gmdwgf.train +drift=sinkhorn

# Before every commit: the truth of every drift and what can be tested without processes and long training.
test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What continuous integration runs: also commands in processes of their own, and laws over whole families.
test-all: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser"

test-slow: .venv/installed-dev
	JAX_DISABLE_MOST_OPTIMIZATIONS=false $(BIN)/python -m pytest -m slow
	JAX_DISABLE_MOST_OPTIMIZATIONS=false $(BIN)/python -m pytest tests/drifts/test_laws.py

# The sweep page in a real browser. Chromium and its driver are not installed for you: without them the tests say so and skip.
test-browser: .venv/installed-dev
	$(BIN)/python -m pytest -m browser tests/reports

# Every experiment, one after the other, and the page of them; typed again, it goes on where it was stopped.
figures: .venv/installed
	$(BIN)/python -m experiments.all

gallery: .venv/installed
	$(BIN)/python -m experiments.gallery.build

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/installed
