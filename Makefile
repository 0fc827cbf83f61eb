# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Running needs less than testing: a stranger's first `make run` installs the package alone.
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
READY_SLOW := .venv/.ready-slow

.PHONY: run test test-slow lint docs bench setup clean

run: $(READY)  ## train on the embedded digits for about two minutes and show what was made
	$(BIN)/gansmith train digits --minutes 2

test: $(READY_DEV)  ## all tests but the slow ones
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(READY_SLOW)  ## the slow ones too
	$(BIN)/python -m pytest -n 2

lint: $(READY_DEV)  ## style, types, and nothing that could execute a stranger's file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	! grep -rnE "\bpickle\b|allow_pickle=True|torch\.load\b|torchvision" src --include=*.py \
		| grep -v "metrics/convert_weights.py.*weights_only=True"

docs: $(READY_DEV)  ## make the pictures of the README and the docs again
	$(BIN)/python docs/make_pictures.py

bench: $(READY_DEV)  ## the README's figures but those of CIFAR-10 and faces, anew: about six hours
	$(BIN)/python -m benchmarks

setup: $(READY_DEV)

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(READY_DEV): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

# Of AWS's SDK the tests run the drivers that it sends into containers, which need nothing.
$(READY_SLOW): $(READY_DEV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps "sagemaker-train>=1.27"
	touch $@

clean:
	rm -rf .venv runs
