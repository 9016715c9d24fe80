# make demo: everything from nothing to a green fixture.   make test: the whole suite, the real engine included.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Hundreds of interpreters start: what they import is compiled once.
export PYTHONDONTWRITEBYTECODE =
# And clusters, which live for seconds: they may be late in collecting their garbage.
export GOGC ?= 400

.PHONY: demo test test-kind unit bench soak tools clean

demo: $(VENV)/ready tools
	cd fixtures/omega-grid && "$(abspath $(BIN))/pytest" --gitops

# Files are given out in the order of pyproject's testpaths, the long ones first, so that both workers end together.
test: $(VENV)/ready tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n2 --dist loadfile --no-loadscope-reorder $(ARGS)

# What is tested on a cluster of containers. Starts Docker where no engine answers, builds the images where they are not there,
# and stops what it started.
test-kind: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m engines $(ARGS)

unit: $(VENV)/ready
	$(BIN)/pytest tests/unit $(ARGS)

bench: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m bench

# The fixtures' whole verification, again and again; counts verdicts that differ. RUNS=50 takes three and a half hours.
soak: $(VENV)/ready tools
	cd tests && "$(abspath $(BIN))/python" -m bench.soak $(RUNS)

tools: $(VENV)/ready
	$(BIN)/pytest-gitops tools install

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist gitops-report
