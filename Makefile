# Everything a newcomer needs: `make demo` and `make test`. Each target does its own set-up on a fresh machine.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
SETUP := deploy/demo/setup
SHELL_SCRIPTS = $(shell find . -name '*.sh' -not -path './.venv/*' -not -path './.git/*' -not -path './.demo/*') .ci/run
PLANS = $(wildcard plans/*.yaml) deploy/upgrade.yaml
YAML_FILES = $(wildcard .github/workflows/*.yml) deploy/docker-compose.yml deploy/upgrade.yaml .yamllint.yaml

# What the images take from uv.lock, with hashes.
EXPORT = $(BIN)/uv export --quiet --frozen --no-header --no-annotate
EXPORTED := deploy/requirements

# What is unit-tested reaches no engine; what is marked docker needs all of the set-up. The quick ones leave out the
# programs that are started, stopped and installed, and what is marked slow.
QUICK_TESTS := tests/unit tests/contract tests/docs tests/faults/matrix tests/faults/failpoints
UNIT_TESTS := tests/unit tests/contract tests/docs tests/faults tests/deploy
DOCKER_TESTS := tests/engine
BROWSER_TESTS := tests/browser

# Journals wait for the disk at every step: tests without an engine keep theirs in memory, where there is room for it.
IN_MEMORY := TMPDIR=$(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 2000000 ] 2>/dev/null \
  && echo /dev/shm || echo /tmp)

# How many files of real tests run side by side: they wait for health checks far more than they compute.
WORKERS ?= 3

# How long `make soak` goes on, how much of everything it tries, which share of that is cut off or disturbed, and in
# which order (empty: any). KEEP=1 leaves the installation as it is at the first thing that does not hold.
MINUTES ?= 90
ROUNDS ?= 34
RATE ?= 200
KILLS ?= 0.7
SEED ?=

# What `make bench` measures: which parts, databases of which MB, and what grows how far; ROUNDS=3 there.
PARTS ?= outage backup overhead checker endpoint start growth
SIZES ?= 10 1000
GROWTH ?= 10 100 1000 4000
AXES ?= database services states runs

export KEEP

# A checkout is obeyed as its owner is, also by root in a container where that owner has no name.
export ORCHESTRATOR_TRUST_OWNER ?= $(shell stat -c %u .)

.PHONY: help
help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

.PHONY: venv
venv:
	@$(SETUP)/venv.sh

.PHONY: setup
setup: venv ## virtual environment, Docker Engine with Compose, base images
	@$(SETUP)/engine.sh
	@$(SETUP)/base_images.sh >/dev/null

.PHONY: demo
demo: setup ## upgrades of a real app, one good and three bad ones (KEEP=1 leaves it running)
	@$(BIN)/python -m deploy.demo.demo

.PHONY: images
images: setup ## build both images, and print their size, layers and cold start
	@$(BIN)/python -m deploy.demo.figures

.PHONY: check
check: venv ## format, lint, types, layers, words, scripts, image, workflows, locks, plans
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.release.product_words
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	$(BIN)/hadolint deploy/Dockerfile tests/engine/architectures/Dockerfile
	$(BIN)/yamllint --strict $(YAML_FILES)
	$(BIN)/zizmor --offline --pedantic --quiet .github
	$(SETUP)/actionlint.sh
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.renovate .github/renovate.json
	$(EXPORT) --no-dev --no-emit-project | diff $(EXPORTED)/orchestrator.txt - || { echo 'run make lock'; exit 1; }
	$(EXPORT) --only-group build | diff $(EXPORTED)/build.txt - || { echo 'run make lock'; exit 1; }
	@for plan in $(PLANS); do echo "orchestrator lint $$plan"; $(BIN)/orchestrator lint "$$plan"; done

.PHONY: test
test: setup ## all tests, on a real engine and in a real browser
	@$(SETUP)/browser.sh >/dev/null
	$(IN_MEMORY) $(BIN)/pytest $(UNIT_TESTS) -m 'not soak' --numprocesses auto
	$(BIN)/pytest $(BROWSER_TESTS)
	$(BIN)/pytest $(DOCKER_TESTS) -m 'not soak' --numprocesses $(WORKERS) --dist loadfile

.PHONY: soak
soak: setup ## 100 upgrades and rollbacks under load, most of them killed (MINUTES=90 ROUNDS=34 RATE=200 KILLS=0.7 SEED=…)
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --rounds $(ROUNDS) --rate $(RATE) --kills $(KILLS) \
	  $(if $(SEED),--seed $(SEED))
	$(BIN)/pytest $(UNIT_TESTS) $(DOCKER_TESTS) -m soak

.PHONY: bench
bench: ROUNDS = 3
bench: setup ## what it costs, into BENCHMARKS.md (PARTS="outage …" SIZES="10 1000" ROUNDS=3 GROWTH=… AXES=…)
	$(BIN)/python -m benchmarks --parts $(PARTS) --sizes $(SIZES) --rounds $(ROUNDS) --growth $(GROWTH) --axes $(AXES)

.PHONY: test-unit
test-unit: venv ## the quick tests, in under a minute
	$(IN_MEMORY) $(BIN)/pytest $(QUICK_TESTS) -m 'not soak and not slow' --numprocesses auto

.PHONY: wheel
wheel: venv ## the package, in dist/
	rm -f dist/*.whl
	$(BIN)/uv build --quiet --wheel --out-dir dist --build-constraints $(EXPORTED)/build.txt --require-hashes

.PHONY: man
man: venv ## the manual page, from what the commands say of themselves
	$(BIN)/python -m deploy.release.manual >docs/orchestrator.1

.PHONY: lock
lock: venv ## lock the dependencies that pyproject.toml asks for, and write what the images take from them
	$(BIN)/uv lock
	$(EXPORT) --no-dev --no-emit-project >$(EXPORTED)/orchestrator.txt
	$(EXPORT) --only-group build >$(EXPORTED)/build.txt

.PHONY: docs
docs: venv ## write the pages of docs/ that are made from the program
	$(BIN)/python -m tests.docs

.PHONY: format
format: venv ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## take down a demo that KEEP=1 left, remove .demo and caches
	@if [ -d .demo ]; then $(SETUP)/venv.sh && $(BIN)/python -m deploy.demo.demo --remove; fi
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
