# Everything needs only git, make and Python 3.11 or newer; PYTHON=... chooses another one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint model bench judged speed quality clean

demo: $(VENV)/demo.stamp
	$(BIN)/matcher rank examples/cvs/nurse-aoife.txt --model models/demo -k 5

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Rebuilds models/demo from seeds/ (tests compare it with what is committed).
model: $(VENV)/demo.stamp
	rm -rf models/demo
	$(BIN)/matcher train seeds --model models/demo

# How well the judged CVs are ranked, then how fast; takes several minutes.
bench: judged speed

judged: $(VENV)/demo.stamp
	$(BIN)/python -m benchmarks.judged_cvs

# Beside named peers at 10,000 postings made from seeds/; docs/performance.md has other sizes.
speed: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/speed.py 10000

# How well postings are ranked, on public judged sets in the folder SOURCE and on the judged CVs; rewrites the
# tables of docs/quality.md. Takes some twenty minutes.
SOURCE ?= ../shared/data
quality: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks.quality $(SOURCE) --write docs/quality.md
	$(BIN)/python -m benchmarks.judged_cvs --write docs/quality.md
	$(BIN)/python -m benchmarks.block_options $(SOURCE) --write docs/quality.md

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "matcher needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.stamp: $(VENV)/python.stamp pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/lint.stamp: $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
