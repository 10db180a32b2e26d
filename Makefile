# The developer's door. `make help` lists what there is.
.DEFAULT_GOAL := help
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Scripts without an ending are named one by one: ruff looks for *.py only.
PYTHON := src tests benchmarks scripts scripts/docs scripts/licences scripts/servers scripts/vendor

# Every start of Python, of which there are hundreds in the tests, reads what an earlier one compiled, also where
# the machine says that nothing compiled is to be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test check fix bench unit clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml uv.lock
	@scripts/bootstrap $(VENV)
	@touch $(READY)

run: $(READY) ## Start Partwell with demo data and say how to sign in
	@$(BIN)/partwell up --demo

test: $(READY) ## Unit, integration on SQLite and PostgreSQL, stories in Chromium
	@scripts/test

check: $(READY) ## Format, lint, types, layers, migrations, deployment, generated pages, licences
	@$(BIN)/ruff format --check $(PYTHON)
	@$(BIN)/ruff check $(PYTHON)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@PARTWELL_BASE_URL=https://partwell.example $(BIN)/python manage.py check --deploy --fail-level WARNING
	@scripts/docs --check
	@scripts/licences

fix: $(READY) ## Format, mend what can be mended by itself, write the generated pages
	@$(BIN)/ruff check --fix $(PYTHON)
	@$(BIN)/ruff format $(PYTHON)
	@scripts/docs

unit: $(READY) ## The fast tests alone
	@$(BIN)/pytest -q tests/unit tests/agreement

bench: $(READY) ## Every benchmark, each against a floor measured in the same run
	@scripts/bench

clean: ## Remove what was built; keeps data/
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build test-results
