# LabelHub from a fresh clone, with Python 3.11 or newer and make. `make help` explains.
.DEFAULT_GOAL := help
.PHONY: help install install-dev demo run test check format bench lock clean

PORT ?= 8000
PYTEST_ARGS ?=

help: ## the vocabulary, and this list
	@cat .ci/help
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r name what; do printf '%-19s%s\n' "$$name" "$$what"; done

install: ## .venv/ with the locked versions, and a .env with a fresh secret key
	@.ci/install requirements.lock

install-dev: ## the same with what the tests and checks need
	@.ci/install requirements-dev.lock

demo: install ## a project over drawn shapes (PORT= DATA_DIR= ROBOTS= HEADLESS=1 ROUNDS=)
	@exec .venv/bin/python manage.py demo

run: install ## web, workers, beat and broker under one supervisor (PORT= DATA_DIR=)
	@exec .venv/bin/python manage.py supervise --port $(PORT)

test: install-dev ## all tests, in a browser and over PostgreSQL too (PYTEST_ARGS=)
	@.ci/browser
	@.venv/bin/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

check: install-dev ## format, lint, types, architecture, templates, migrations, deployment
	@.ci/check

format: install-dev ## rewrite Python files and templates in the project's format
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .
	@.venv/bin/djade --target-version 5.2 $$(find templates labelhub -name '*.html')

bench: install-dev ## every benchmark: a table here, JSON under build/bench/
	@.ci/bench

lock: ## resolve requirements*.in anew and write the lock files
	@.ci/lock

clean: ## remove .venv and build; keeps data/ and .env
	rm -rf .venv build
