# Two commands do everything on a fresh machine with Python 3.10+ and make: `make quickstart` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
WORKERS ?= auto

.PHONY: quickstart test crash fuzz bench check format clean tools

quickstart: $(VENV)/energon.stamp
	$(BIN)/python examples/quickstart.py

# The tests on Ray come by themselves: they share one cluster, whose nodes take the cores that there are.
test: tools $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) -q -m 'not ray'
	$(BIN)/python -m pytest -q -m ray

# Kills processes at random moments, and lets every single call on a file fail; SEED=N repeats a run. Half an hour.
CRASHES ?= 100
crash: tools $(VENV)/dev.stamp
	CRASHES=$(CRASHES) SEED=$(SEED) $(BIN)/python -m pytest -q -o python_files='test_*.py long_runs.py' tests/crash

# Bytes that nobody would write, for all that reads bytes of others; FUZZ_SECONDS in all, findings in .fuzz/found.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/fuzz.stamp
	PYTHONPATH=toolkits $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

# QUICK=1: less data, each contender once, a few minutes instead of hours; the tables are printed, and not kept.
bench: tools $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p mm2energon
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) quickstart-data build dist toolkits/*.egg-info

# torch comes first and pinned: left to the packages that need it, it would come as the newest build with its CUDA.
$(VENV)/torch.stamp: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or later is needed: make PYTHON=python3.11 ..."; exit 1; }
	@echo "setting up $(VENV) (about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(PIP) --upgrade pip
	@$(PIP) torch
	@touch $@

$(VENV)/energon.stamp: $(VENV)/torch.stamp setup.py
	@$(PIP) -e '.[energon]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/torch.stamp setup.py
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/energon.stamp

$(VENV)/bench.stamp: $(VENV)/dev.stamp setup.py
	@$(PIP) -e '.[dev,bench]'
	@touch $@

$(VENV)/fuzz.stamp: $(VENV)/dev.stamp setup.py
	@$(PIP) -e '.[dev,fuzz]'
	@touch $@

# The tests measure against ffmpeg and ffprobe, hear what flite says, and look at pages in Chromium; the product itself
# needs none of them.
tools:
	@command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null && command -v flite >/dev/null && command -v chromium >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    echo "installing ffmpeg, flite and chromium ..." && apt-get update -qq && \
	    apt-get install -y -qq --no-install-recommends ffmpeg flite chromium >/dev/null; } || \
	  { echo "ffmpeg, flite or chromium is missing; the tests need them. Debian: sudo apt-get install ffmpeg flite chromium; macOS: brew install ffmpeg chromium, and flite from https://github.com/festvox/flite"; exit 1; }
