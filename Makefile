# Four words run everything; each does its own set-up from nothing.
.PHONY: quickstart test check bench
PYTHON = .venv/bin/python
# Four side by side even on two cores: most tests wait for a program, or for time to pass. One that fails is tried
# again, and then named at the end with what it said.
PYTEST = $(PYTHON) -m pytest -n 4 --dist worksteal --reruns 2 --reruns-delay 1 --rerun-show-tracebacks
# Hundreds of short-lived processes import the same modules: they are compiled once, also where the
# environment forbids it as images do.
export PYTHONDONTWRITEBYTECODE =

quickstart: ## the main job on embedded defaults: a private CA, and mutual TLS proven on real servers
	@scripts/setup
	@.venv/bin/handfast quickstart

test: ## every test; installs the programs that the tests run against
	@scripts/setup dev
	@scripts/install-programs
	$(PYTEST) --ignore tests/docs --ignore tests/test_architecture.py

check: ## style, types, the laws of the house, and that the documentation is true
	@scripts/setup dev
	@scripts/install-programs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PYTEST) tests/test_architecture.py tests/docs

bench: ## speed, as ratios, beside what one would pick instead
	@scripts/setup dev
	$(PYTHON) -m benchmarks
