# make demo: everything from nothing to a green fixture.   make test: the whole suite, the real engine included.
PYTHON ?= python3
VENV   ?= .venv
WORKERS ?= $(shell $(PYTHON) tests/workers.py)
RUNS    ?= 50
LANES   ?= 2
BIN    := $(VENV)/bin

# Hundreds of interpreters start: what they import is compiled once.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-kind unit bench soak tools clean

demo: $(VENV)/ready tools
	cd fixtures/omega-grid && "$(abspath $(BIN))/pytest" --gitops

# Files are given out in the order of tests/conftest.py: the long ones first, so that all workers end together.
# Clusters that live for seconds collect their garbage only when they are large.
test soak: export GOGC ?= off
test soak: export GOMEMLIMIT ?= 800MiB
test: $(VENV)/ready tools
	$(BIN)/pytest -n$(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# What is tested on a cluster of containers. Starts Docker where no engine answers, builds the images where they are not there,
# and stops what it started.
test-kind: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m engines $(ARGS)

unit: $(VENV)/ready
	$(BIN)/pytest tests/unit $(ARGS)

bench: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m bench

# The fixtures' whole verification, again and again; counts verdicts that differ. Ctrl-C ends it, and it goes on from there.
soak: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m bench.soak $(RUNS) $(LANES)

tools: $(VENV)/ready
	$(BIN)/pytest-gitops tools install

# What is imported is compiled when it is, the rest never: that was a third of the time.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist gitops-report
