# `make test` and `make check` are what .ci/run runs.
PYTHON ?= .venv/bin/python

.PHONY: setup test coverage check format dev

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	test -x .venv/bin/python || python3 -m venv --upgrade-deps .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,deepseek,dev]'
	touch .venv/ready

test: setup
	$(PYTHON) -m pytest

# How much of the packages the tests run, and which lines they do not; TESTS=tests/unit/reading/test_text.py for some of them only.
coverage: setup
	$(PYTHON) -m coverage erase
	$(PYTHON) -m coverage run -m pytest $(TESTS); ended=$$?; \
	$(PYTHON) -m coverage combine --quiet && $(PYTHON) -m coverage report && exit $$ended

check: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

format: setup
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

dev: setup
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true .venv/bin/langgraph dev --no-browser --n-jobs-per-worker 10
