# All commands of development. The pre-commit hooks and .ci/run call them, too.
# Paths are relative, because the path of the checkout may have spaces.

PYTHON ?= python3
BIN := .venv/bin
BROWSER := sdk/browser
NODE_MODULES := $(BROWSER)/node_modules/.installed
SOURCES := api workers sdk/src tests tools $(wildcard bench)
RANGES := pyproject.toml sdk/pyproject.toml constraints.txt

MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install develop browser docs pictures run test check lint types format schemas constraints acceptance chaos brokers soak bench costs work clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: .venv/.installed ## Install .venv/bin/tidings-server and .venv/bin/tidings
develop: .venv/.developed ## The same, with the tools for tests and checks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "creating .venv" >&2
	@$(PYTHON) -m venv .venv >&2

.venv/.installed: $(RANGES) | $(BIN)/python
	@echo "installing Tidings into .venv: a minute or two the first time" >&2
	@began=$$(date +%s); \
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ./sdk --editable . >&2 && \
	echo "installed after $$(( $$(date +%s) - began )) s" >&2
	@touch $@

.venv/.developed: $(RANGES) | $(BIN)/python
	@echo "installing Tidings and its tools into .venv" >&2
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ./sdk --editable '.[dev]' >&2
	@touch $@ .venv/.installed

# With npm's cache the second installation is fast, in any clone.
$(NODE_MODULES): $(BROWSER)/package.json $(BROWSER)/package-lock.json
	@command -v npm >/dev/null && node -e 'process.exit(Number(parseInt(process.versions.node) < 20))' || \
		{ echo "Node 20 or newer is needed, with npm" >&2; exit 1; }
	@echo "installing the tools of $(BROWSER)" >&2
	@cd $(BROWSER) && npm ci --prefer-offline --no-audit --no-fund --loglevel=error >&2
	@touch $@

# All that `make test` and `make check` need; `--jobs` installs them at the same time.
.PHONY: prepared chromium
prepared: .venv/.developed $(NODE_MODULES) chromium

chromium:
	@tools/chromium >/dev/null

# A Kafka for the tests of the bridge, which are skipped without it. It needs Java and Maven.
.PHONY: kafka
kafka: .venv/kafka/.installed

.venv/kafka/.installed: tools/kafka/pom.xml | $(BIN)/python
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "no Kafka: Java or Maven is missing" >&2; exit 1; }
	@mvn --quiet --batch-mode --file tools/kafka/pom.xml dependency:copy-dependencies \
		-DoutputDirectory="$(CURDIR)/.venv/kafka" >&2
	@touch $@

run: .venv/.installed ## Everything on this machine, ready to send to; ARGS="--port 9000" passes options on
	@TIDINGS_MAKE=1 exec $(BIN)/tidings-server dev $(ARGS)

# The browser's tests wait for Chromium most of the time. Beside them run those of Python's tests that start programs and
# wait for their end: they measure no short times.
PROGRAMS := tests/bench tests/docs tests/house tests/operations tests/tokens
# Nearly all tests wait more than they compute: of their time, a half to two thirds is waiting. So there are more
# processes than cores. One that has finished its tests takes some of another's.

# All suites run and report, also when one fails.
test: .venv/.developed ## All tests; ARGS="tests/store -x" narrows them to some of Python's
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@status=0; \
	$(MAKE) --jobs=3 --keep-going --output-sync=line test-browser test-programs test-brokers || status=$$?; \
	$(MAKE) test-others || status=$$?; \
	exit $$status
endif

.PHONY: test-browser test-programs test-brokers test-others
test-programs: .venv/.developed
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal $(PROGRAMS)

# One process, so that each broker is started once. It waits for them most of the time.
test-brokers: .venv/.developed
	$(BIN)/python -m pytest tests/bridge

test-others: .venv/.developed
	$(BIN)/python -m pytest --numprocesses=4 --dist=worksteal $(PROGRAMS:%=--ignore=%) --ignore=tests/bridge

test-browser: .venv/.developed $(NODE_MODULES)
	chromium="$$(tools/chromium)" && cd $(BROWSER) && CHROMIUM="$$chromium" PATH="$(CURDIR)/$(BIN):$$PATH" npm test

browser: .venv/.developed browser-lint browser-built ## Check and build sdk/browser, and copy it into the API's package
	$(BIN)/python tools/browser_files.py

docs: .venv/.documented ## Build the documentation as a site, which `make run` shows at /guide
	$(BIN)/python tools/guide.py

.venv/.documented: $(RANGES) | $(BIN)/python
	@echo "installing the site generator into .venv" >&2
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ./sdk --editable '.[docs]' >&2
	@touch $@ .venv/.installed

pictures: .venv/.developed ## Take the pictures of the documentation, of the real server in a real browser
	PICTURES=docs/images $(BIN)/python -m pytest tests/browser/test_pictures.py

check: lint types schemas-fresh constraints-fresh browser-lint browser-fresh ## All static checks

lint: .venv/.developed ## ruff and the direction of imports
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports --no-logo

types: .venv/.developed ## mypy, strict
	$(BIN)/python -m mypy $(SOURCES)

.PHONY: browser-lint browser-built browser-fresh
browser-lint: $(NODE_MODULES)
	cd $(BROWSER) && npm run --silent check
	cd $(BROWSER) && npx biome ci --config-path=. ../../api/tidings_api/demo/pages ../../api/tidings_api/docs_files ../../api/tidings_api/spring/pages

browser-built: $(NODE_MODULES)
	cd $(BROWSER) && npm run --silent build

browser-fresh: .venv/.developed browser-built
	$(BIN)/python tools/browser_files.py --check

.PHONY: schemas-fresh constraints-fresh
schemas-fresh: .venv/.developed
	$(BIN)/python -m tidings_api.schemas --check
	$(BIN)/python tools/browser_protocol.py --check

constraints-fresh: .venv/.developed
	$(BIN)/python -m pip check
	$(BIN)/python -m pytest --quiet tests/house/test_versions.py

format: .venv/.developed ## Format the code
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(if $(wildcard $(NODE_MODULES)),cd $(BROWSER) && npx biome check --write --config-path=. . ../../api/tidings_api/demo/pages ../../api/tidings_api/docs_files ../../api/tidings_api/spring/pages)

schemas: .venv/.developed ## Write openapi/ and the browser's protocol from the code
	$(BIN)/python -m tidings_api.schemas
	$(BIN)/python tools/browser_protocol.py

constraints: .venv/.developed ## Resolve constraints.txt; ARGS=--upgrade takes newer versions
	$(BIN)/python tools/constraints.py $(ARGS)

acceptance: .venv/.developed ## 10,000 notifications to 200 reconnecting listeners: every copy once and in order
	ACCEPTANCE=1 $(BIN)/python -m pytest tests/stack/test_acceptance.py -s $(ARGS)

chaos: .venv/.developed ## Kill parts in any order under load; ROUNDS=20 sets how often, CHAOS_SEED repeats a run
	CHAOS_ROUNDS=$(or $(ROUNDS),20) $(BIN)/python -m pytest tests/chaos -s $(ARGS)

LONG_BROKERS := $(addprefix tests/bridge/test_,kills.py sink_kills.py store_away.py artemis.py)
brokers: .venv/.developed ## 10,000 messages and events through each broker, with kills; the store away for a minute; Artemis
	tools/artemis
	BRIDGE_MESSAGES=10000 BRIDGE_OUTAGE=60 $(BIN)/python -m pytest -s $(LONG_BROKERS) $(ARGS)

soak: .venv/.developed ## Mixed load for SECONDS=300, then EXAMPLES=100 long scripts on inboxes against their model
	SOAK_SECONDS=$(or $(SECONDS),300) $(BIN)/python -m pytest tests/chaos/test_soak.py -s $(ARGS)
	INBOX_MODEL_EXAMPLES=$(or $(EXAMPLES),100) INBOX_MODEL_STEPS=50 $(BIN)/python -m pytest tests/inbox_model $(ARGS)

bench: .venv/.developed ## Measure, and write bench/results; ARGS="fanout" narrows it
	$(BIN)/python -m bench $(ARGS)

work: .venv/.developed ## Compare the calls and commands of hot paths with bench/work.json; ARGS=--record accepts them
	$(BIN)/python -m bench.work $(ARGS)

costs: .venv/.developed ## Compare the CPU time of hot paths with bench/costs.json; ARGS=--record accepts it
	$(BIN)/python -m bench.costs $(ARGS)

clean: ## Remove the environment and everything built; data in .tidings stays
	rm -rf .venv $(BROWSER)/node_modules $(BROWSER)/dist api/tidings_api/demo/guide_site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
