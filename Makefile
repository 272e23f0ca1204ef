# Groundwork. `make` alone prints the commands.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := libs/contracts libs/extraction libs/servicekit console services/gateway services/ingest services/retriever services/inference services/agent services/lab cli
SOURCES := $(addsuffix /src,$(PACKAGES))
UNIT := $(addsuffix /tests,$(PACKAGES))
OURS := contracts extraction servicekit console gateway ingest retriever inference agent lab
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --group torch --group models $(addprefix --no-emit-package groundwork-,$(OURS)) \
	--no-emit-package groundwork pyproject.toml

unexport PYTHONDONTWRITEBYTECODE # where it is set, every process of every test would compile all our modules anew

.PHONY: help setup setup-dev demo up down test test-unit test-contract test-integration test-e2e test-compose chaos chaos-agents chaos-feedback chaos-inference chaos-ingest chaos-lab chaos-restarts chaos-usage check format lock docs clean test-vllm

help: ## print this list
	@grep -hE '^[a-z0-9%-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: ## install Groundwork in .venv (needs Python 3.11 or newer)
	@$(PYTHON) deploy/install.py

setup-dev: ## the same with what the tests and checks need
	@$(PYTHON) deploy/install.py --dev

demo: setup ## start everything, ingest the sample handbook, ask a question, print the cited answer, stop
	@$(BIN)/python examples/demo.py

up: setup ## start in the background and wait until ready (state in .groundwork, or GROUNDWORK_HOME)
	@$(BIN)/groundwork up

down: ## stop what `make up` started
	@$(BIN)/groundwork down

# More processes than the two cores that we reckon with: many tests wait. Tests that share a home, or what else was opened
# for several, stay together; those that share most come first, and unit tests fill what is left.
SLOWEST := --durations=15 --durations-min=10
SIDE_BY_SIDE := -n 3 --dist loadgroup --continue-on-collection-errors $(SLOWEST)
test: setup-dev ## all tests but chaos, side by side: end to end, integration, contract, unit; all are run, also after a red one
	@$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "not clients" tests/e2e tests/integration tests/contract $(UNIT)

test-unit: setup-dev ## unit tests: fast, no sockets
	@$(BIN)/pytest -q $(SIDE_BY_SIDE) $(UNIT)

test-contract: setup-dev ## each consumer's client against the provider's app
	@$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "not clients" tests/contract

.PHONY: test-browser
test-browser: setup-dev ## the console in Debian's chromium-headless-shell or chromium (CHROMIUM); pictures in .groundwork/pictures
	@$(BIN)/uv pip install --quiet --no-config --python $(BIN)/python --group browser
	@nice -n 10 $(BIN)/pytest -q -rs -n 2 --dist loadfile tests/browser

.PHONY: pictures
pictures: setup-dev ## take the console's pictures anew that docs/console.md and README.md show, into docs/pictures
	@$(BIN)/uv pip install --quiet --no-config --python $(BIN)/python --group browser
	@PICTURES=docs/pictures nice -n 10 $(BIN)/pytest -q -rs tests/browser/test_pictures.py \
		tests/browser/test_improvement.py tests/browser/test_monitors_page.py

.PHONY: stored-home
stored-home: setup-dev ## keep a home of this version for the test that upgrades it (tests/e2e/operations/homes)
	@$(BIN)/python -m tests.support.home.stored

.PHONY: test-clients
test-clients: setup-dev ## unmodified clients of others (SDKs, Codex, Phoenix, TRL, …): 3 GB in .clients (HEAVY=1: Open WebUI, guidellm, 9 GB)
	@nice -n 10 $(BIN)/pytest -q tests/contract/clients

test-integration: setup-dev ## real Valkey, Qdrant Edge, models, SQL
	@$(BIN)/pytest -q $(SIDE_BY_SIDE) tests/integration

test-e2e: setup-dev ## the whole platform through its public API
	@$(BIN)/pytest -q $(SIDE_BY_SIDE) tests/e2e

test-compose: setup-dev ## build every image, run the platform in containers, restart and kill them (needs Docker)
	@$(BIN)/pytest -q -s tests/compose

chaos: setup-dev ## kill real processes in the middle of their work
	@$(BIN)/pytest -q $(SLOWEST) tests/chaos

chaos-agents: setup-dev ## kill agents, gateway and Redis while a hundred runs are under way (RUNS, KILLS, SEED)
	@RUNS=$${RUNS:-100} KILLS=$${KILLS:-25} $(BIN)/pytest -q -s tests/chaos/test_agents_chaos.py

chaos-ingest: setup-dev ## kill all that ingest stands on while documents come in (DOCUMENTS=folder, SEED=1)
	@$(BIN)/pytest -q -s tests/chaos/test_ingest_chaos.py

chaos-inference: setup-dev ## kill llama.cpp and inference while answers stream (STREAMS, KILLS, SEED)
	@STREAMS=$${STREAMS:-200} KILLS=$${KILLS:-40} $(BIN)/pytest -q -s tests/chaos/test_inference_chaos.py

chaos-usage: setup-dev ## calls, answers and runs in chaos on two gateways: every book must agree (CALLS=5000, ANSWERS=150, SEED=1)
	@$(BIN)/pytest -q -s tests/chaos/test_usage_chaos.py

chaos-feedback: setup-dev ## kill gateways while people rate answers (KILLS=25, SEED=1)
	@KILLS=$${KILLS:-25} $(BIN)/pytest -q -s tests/chaos/test_feedback_chaos.py

chaos-lab: setup-dev ## kill labs while evaluations ask, questions are made, models are judged and sets are saved (QUESTIONS=1000, KILLS=5, SEED)
	@QUESTIONS=$${QUESTIONS:-1000} KILLS=$${KILLS:-5} $(BIN)/pytest -q -s tests/chaos/test_evaluation_chaos.py tests/chaos/test_generation_chaos.py tests/chaos/test_tuning_chaos.py tests/chaos/test_lab_chaos.py

chaos-restarts: setup-dev ## restart every service in turn under load: nothing may fail or be lost (ROLLS=1)
	@$(BIN)/pytest -q -s tests/chaos/test_rolling_restart.py

.PHONY: train-reader
# Memory is kept, not given back between steps: a third of the time.
train-reader: setup-dev ## train the packaged reading model anew (DATA=folder, STEPS=7400, START=packed folder; ENCODER=folder: another one, to compare); goes on where it was stopped
	@MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
		$(BIN)/python -m research.reader.train $${DATA:+--data $$DATA} $${STEPS:+--steps $$STEPS} $${START:+--start $$START} \
		$${ENCODER:+--encoder $$ENCODER --work .groundwork/reader-compared/$$(basename $$ENCODER)}
	@test -n "$$ENCODER" || $(BIN)/python -m research.reader.pack $${DATA:+--data $$DATA}

.PHONY: wheels
wheels: ## download all that building the images needs into a folder, for builds without an index (FOLDER=wheels)
	@docker build --quiet --file deploy/docker/Dockerfile --target collected --output $${FOLDER:-wheels} \
		$${GROUNDWORK_BUILD_CA:+--secret id=ca,src=$$GROUNDWORK_BUILD_CA} \
		$${GROUNDWORK_WHEELS:+--build-context wheels=$$GROUNDWORK_WHEELS} .

.PHONY: fuzz-speech
fuzz-speech: setup-dev ## 100,000 hostile texts through the filter of answers, rendered: nothing may be live (TEXTS=100000, SEED=1)
	@$(BIN)/python -m benchmarks.agent.fuzz_speech

test-vllm: setup-dev ## real vLLM (CPU build, 3 GB in .vllm) behind inference, held to the conformance suite: about 15 minutes
	@$(BIN)/python tests/vllm/install.py
	@nice -n 10 $(BIN)/pytest -q tests/vllm

check: setup-dev ## lint, types, boundaries, sizes, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports
	@$(BIN)/python console/typecheck.py
	@$(BIN)/pytest -q -n 2 tests/structure

format: setup-dev ## format the code and mend what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

bench-%: setup-dev ## run benchmarks/<subject>/<name>.py, for instance `make bench-answers`
	@$(BIN)/python -m $(subst /,.,$(basename $(or $(wildcard benchmarks/*/$(subst -,_,$*).py),$(error no benchmark '$*'))))

lock: ## resolve all dependencies anew into requirements.lock and requirements-dev.lock
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --output-file requirements-dev.lock

docs: setup-dev ## write docs/configuration.md, docs/openapi.json, the console's types, docs/licences.md, docs/tools.md, docs/formats.md and the index of decisions
	@$(BIN)/python docs/build_licences.py
	@$(BIN)/python docs/build_configuration.py
	@$(BIN)/python docs/build_decisions.py
	@$(BIN)/python docs/build_tools.py
	@$(BIN)/python docs/build_formats.py
	@$(BIN)/python -m gateway.openapi > docs/openapi.json
	@$(BIN)/python console/api_types.py

.PHONY: dashboards
dashboards: setup-dev ## write deploy/grafana/dashboards from deploy/grafana/boards
	@$(BIN)/python deploy/grafana/build.py

clean: ## remove the virtual environment, caches and the local home
	rm -rf .venv .groundwork .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
