# The developer's door. `make help` lists what there is.
.DEFAULT_GOAL := help
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help run test check fix bench unit integration stories clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml uv.lock
	@scripts/bootstrap $(VENV)
	@touch $(READY)

run: $(READY) ## Start Partwell with demo data and say how to sign in
	@$(BIN)/partwell up --demo

test: $(READY) ## Unit, integration on SQLite and PostgreSQL, stories in Chromium
	@scripts/test

check: $(READY) ## Format, lint, types, layers, migrations, licences of the code itself
	@$(BIN)/ruff format --check src tests benchmarks scripts
	@$(BIN)/ruff check src tests benchmarks scripts
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --deploy --fail-level ERROR

fix: $(READY) ## Format and mend what can be mended by itself
	@$(BIN)/ruff check --fix src tests benchmarks scripts
	@$(BIN)/ruff format src tests benchmarks scripts

unit: $(READY) ## The fast tests alone
	@$(BIN)/pytest -q tests/unit tests/agreement

bench: $(READY) ## Every benchmark, each against a floor measured in the same run
	@scripts/bench

clean: ## Remove what was built; keeps data/
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build test-results
