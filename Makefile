# `make help` lists what there is. Everything runs in a virtual environment that the first target sets up.
# PYTHON names another interpreter, CONSTRAINTS a file of versions to install: both get an environment of their own.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CONSTRAINTS ?=
LESSON ?=
WORKERS ?= 2
CELL_TIMEOUT ?= 300

ifeq ($(origin PYTHON),undefined)
INTERPRETERS := python3 python3.13 python3.12 python3.11
SUPPORTED := (3, 11) <= sys.version_info[:2] <= (3, 13)
VENV := .venv$(if $(CONSTRAINTS),-$(basename $(notdir $(CONSTRAINTS))))
else
INTERPRETERS := $(PYTHON)
SUPPORTED := sys.version_info[:2] >= (3, 11)
VENV := .venv-$(notdir $(PYTHON))$(if $(CONSTRAINTS),-$(basename $(notdir $(CONSTRAINTS))))
endif

STAMP := $(VENV)/.installed
VENV_PYTHON := $(VENV)/bin/python

# Kernels and settings of Jupyter are those of the environment, not the user's.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_DATA_DIR := $(CURDIR)/$(VENV)/share/jupyter
export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/etc/jupyter
export IPYTHONDIR := $(CURDIR)/$(VENV)/etc/ipython
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# One thread a process: there are as many processes as cores.
TEST_ENVIRONMENT := SHOWERTOOLS_PROFILE=quick SHOWERTOOLS_STRICT=1 SHOWERTOOLS_OFFLINE=1 KERAS_BACKEND=tensorflow \
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

.PHONY: help setup which-python run lab build test lint bench clean

help: ## list the targets
	@echo "make run [LESSON=32]      run a lesson at full size; notebook and figures go to runs/"
	@echo "make lab                  open the course in JupyterLab"
	@echo "make test                 lint, unit tests, and every lesson in its quick profile"
	@echo "make lint                 only the checks of style and types"
	@echo "make build [LESSON=32]    make the notebooks of a lesson (of all lessons) from notebooks/source"
	@echo "make bench                run benchmarks/ and print ratios"
	@echo "make clean                remove what builds and tests leave behind"
	@echo "PYTHON=python3.13 and CONSTRAINTS=tests/constraints-colab.txt choose other versions"

setup: $(STAMP)
	@:

which-python:
	@echo "$(VENV_PYTHON)"

run: $(STAMP)
	@"$(VENV_PYTHON)" notebooks/run.py --lesson "$(or $(LESSON),32)"

lab: $(STAMP)
	@"$(VENV_PYTHON)" -m jupyterlab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

build: $(STAMP)
	@"$(VENV_PYTHON)" notebooks/build.py $(if $(LESSON),--lesson "$(LESSON)")

test: lint
	@echo "== unit tests, exercises, wrong answers"
	@$(TEST_ENVIRONMENT) MPLBACKEND=agg "$(VENV_PYTHON)" -m pytest tests -n $(WORKERS) --dist worksteal
	@shopt -s nullglob; notebooks=(notebooks/solutions/*.ipynb); \
	if [ $${#notebooks[@]} -gt 0 ]; then \
	  echo "== solutions, compared with their stored outputs"; \
	  $(TEST_ENVIRONMENT) "$(VENV_PYTHON)" -m pytest "$${notebooks[@]}" --nbval-lax --nbval-current-env \
	    --nbval-cell-timeout=$(CELL_TIMEOUT) --nbval-kernel-startup-timeout=120 -n $(WORKERS) --dist loadscope; \
	fi

lint: $(STAMP)
	@echo "== lint"
	@"$(VENV_PYTHON)" -m ruff check --quiet .
	@"$(VENV_PYTHON)" -m ruff format --check --quiet . || { echo "To format: $(VENV)/bin/ruff format ."; exit 1; }
	@"$(VENV_PYTHON)" -m mypy

bench: $(STAMP)
	@shopt -s nullglob; for benchmark in benchmarks/*.py; do \
	  echo "== $$benchmark"; "$(VENV_PYTHON)" "$$benchmark"; \
	done

clean:
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path './.venv*' -prune -o -path ./.git -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.part' \) -exec rm -rf {} +

# The stamp is written last: an installation that was interrupted starts again, in an empty environment.
$(STAMP): pyproject.toml requirements.txt $(CONSTRAINTS)
	@shopt -s nullglob; pyenv="$${PYENV_ROOT:-$$HOME/.pyenv}"; \
	for python in $(INTERPRETERS) $(foreach name,$(INTERPRETERS),"$$pyenv"/versions/*/bin/$(notdir $(name))); do \
	  if "$$python" -c 'import sys; sys.exit(not ($(SUPPORTED)))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "showertools needs Python 3.11, 3.12 or 3.13; none of these is one: $(INTERPRETERS)." >&2; \
	  echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 $(filter-out %/.installed,$(firstword $(MAKECMDGOALS)))" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version): a few minutes, 2 GB"; \
	if [ -e "$(STAMP)" ]; then rm -f "$(STAMP)"; else "$$found" -m venv --clear "$(VENV)"; fi; \
	install=("$(VENV_PYTHON)" -m pip install -r requirements.txt -e '.[dev]' $(if $(CONSTRAINTS),-c "$(CONSTRAINTS)")); \
	show=(awk 0); \
	if [ -t 1 ]; then show=(awk '{ printf "\r\033[K%s", substr($$0, 1, 78); fflush() } END { printf "\r\033[K" }'); fi; \
	"$${install[@]}" 2>&1 | tee "$(VENV)/install.log" | "$${show[@]}" || { tail -n 20 "$(VENV)/install.log" >&2; exit 1; }
	@touch "$(STAMP)"
