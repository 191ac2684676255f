# Thin names for the commands that the README explains.
.PHONY: setup setup-dev run stop test bench lint clean

GRANDSTAND := .venv/bin/grandstand

setup:
	@tools/setup run

setup-dev:
	@tools/setup dev

run: setup
	@tools/run

stop: setup
	@$(GRANDSTAND) down

test: setup-dev
	@tools/test

bench: setup-dev
	@.venv/bin/python -m benchmarks

lint: setup-dev
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports
