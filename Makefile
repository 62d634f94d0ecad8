# Every target prepares what it needs; `make help` lists them. Nothing here reads a kubeconfig of yours unless CONTEXT= is given.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
NAME ?= dispatch
PARALLEL ?= 6
BIN := .venv/bin
PROMETHEUS := prometheus=prometheus prometheus-redis-exporter=prometheus-redis-exporter
# Tests that start Python themselves get the same one. Containers often forbid it to keep what it has compiled: then each of a hundred
# operators, of as many workers, and each of pytest's own processes would compile the whole tree again.
PYTEST := PYTHONDONTWRITEBYTECODE= PATH=$$PWD/$(BIN):$$PATH TASKGROUP_TEST_KUBECONFIG=$${KUBECONFIG:-} $(BIN)/pytest
CLUSTER := tests/cluster/cluster
BASE := localhost/base:bookworm
GENERATORS = $(wildcard operator/tools/generate_*.py)
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 --custom-compile-command "make lock"
export BASE_IMAGE := $(BASE)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'

##### Everyday

.PHONY: setup demo metrics dashboards test test-full bench clean
setup: ## make .venv with the locked development tools and the operator (done once per lock)
	@PYTHON="$(PYTHON)" tests/setup.sh

demo: setup ## run some examples on the local cluster, or on yours: CONTEXT=name REGISTRY=registry.example.com/team; EXAMPLES=all runs all
	@CONTEXT="$(CONTEXT)" REGISTRY="$(REGISTRY)" EXAMPLES="$(EXAMPLES)" tests/demo/run.sh

metrics: setup ## let a Prometheus watch the demo on the local cluster, until Ctrl-C
	@$(CLUSTER) status > /dev/null || { echo "metrics: the local cluster does not run; run 'make demo' first." >&2; exit 1; }
	@$(CLUSTER) need $(PROMETHEUS)
	@eval "$$($(CLUSTER) env)"; PYTHONPATH=tests:. TASKGROUP_E2E_KUBECONFIG=$$KUBECONFIG exec $(BIN)/python -m demo.metrics

dashboards: setup ## draw the pictures of the dashboards anew; DATA=folder: from what an earlier run left
	@$(CLUSTER) need $(PROMETHEUS)
	@tests/dashboards.sh $(DATA)

test: ## lint, types, verify, unit, component and end-to-end tests, with the seconds of each stage
	@tests/stages.sh setup build lint types verify unit component images e2e

test-full: ## test, and what takes longer: the cluster's own check, and the measurements
	@tests/stages.sh setup build lint types verify unit component long images cluster-check e2e "bench NAME=dispatch" "bench NAME=whole" "bench NAME=chains" "bench NAME=million" "bench NAME=sources" "bench NAME=many"

bench: setup ## measure: NAME=dispatch, NAME=whole or NAME=chains (against Celery), NAME=million, NAME=many, NAME=sources, NAME=metrics, NAME=whole_metrics
	@$(CLUSTER) need redis-server=redis-server
	@PYTHONPATH=tests $(BIN)/python -m bench.$(NAME)

clean: cluster-down ## stop the clusters and remove what was made in this folder (~/.cache/taskgroup-cluster stays)
	@rm -rf .venv .build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

##### Stages of the tests

.PHONY: build lint types generate verify unit component long e2e
build: ## build the local cluster's binaries, and the S3 server of the tests (minutes the first time)
	@$(CLUSTER) build
	@tests/s3/server.sh > /dev/null

lint: setup build ## ruff, shellcheck, import layers, helm lint, Grafana's linter of dashboards
	@$(CLUSTER) need shellcheck=shellcheck
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@shellcheck $(CLUSTER) tests/cluster/{check,dump,install} $$(git ls-files -co --exclude-standard "*.sh" ":!tests/cluster/lib")
	@$(BIN)/lint-imports --no-cache | tail -n 1
	@eval "$$($(CLUSTER) env 2> /dev/null)"; helm lint --quiet charts/*
	@dashboards/linter/run.sh

types: setup ## mypy, strict
	@tests/types.sh

generate: setup ## write the generated files anew
	@for generator in $(GENERATORS); do $(BIN)/python $$generator; done

verify: setup ## fail when a generated file is out of date
	@tests/verify.sh

unit: setup ## tests of decisions and of alert rules: no I/O, seconds
	@$(CLUSTER) need promtool=prometheus
	@$(PYTEST) tests/unit -n auto --dist worksteal

# In the order of tests/conftest.py: pytest-xdist would begin with the files that have most tests, not with the longest.
component: setup ## tests against a real API server, Redis and Celery workers
	@$(CLUSTER) need redis-server=redis-server promtool=prometheus
	@PYTHONPATH=tests $(BIN)/python -m support.celery_versions
	@$(CLUSTER) up --light --controllers > /dev/null
	@eval "$$($(CLUSTER) env --light)"; $(PYTEST) tests/hostile tests/component -m "not long" -n 4 --dist loadfile --no-loadscope-reorder

long: setup ## the long forms of outages and attacks, against a real API server, Redis and Celery workers
	@$(CLUSTER) need redis-server=redis-server
	@PYTHONPATH=tests $(BIN)/python -m support.celery_versions
	@TASKGROUP_EXAMPLES=10 $(PYTEST) tests/unit/test_whole_life.py tests/unit/test_retried_life.py tests/unit/test_books.py -n 2
	@$(CLUSTER) up --light --controllers > /dev/null
	@eval "$$($(CLUSTER) env --light)"; $(PYTEST) -rs tests/hostile tests/component -m long -n 2 --dist loadfile

e2e: setup cluster-up images install ## tests on the full cluster: one operator, a namespace per test
	@$(CLUSTER) need $(PROMETHEUS)
	@eval "$$($(CLUSTER) env)"; export TASKGROUP_E2E_KUBECONFIG=$$KUBECONFIG; \
	$(PYTEST) tests/e2e -n $(PARALLEL) --dist worksteal -m "not alone"; \
	$(PYTEST) tests/e2e -m alone

##### The local cluster

.PHONY: cluster-up cluster-down cluster-check install images product-images lock
cluster-up: ## start the local cluster
	@$(CLUSTER) up

cluster-down: ## stop the local cluster, both modes
	@$(CLUSTER) down
	@$(CLUSTER) down --light

cluster-check: cluster-up ## try on the running cluster what the tests take for granted
	@$(CLUSTER) base
	@tests/cluster/check

images: product-images ## build the images and load them into the local cluster when it runs
	@$(CLUSTER) image localhost/postgres:15 tests/cluster/images/postgres
	@$(CLUSTER) image localhost/redis-exporter:1 tests/cluster/images/redis-exporter
	@for directory in $(wildcard tests/images/*/); do \
		$(CLUSTER) image localhost/test-$$(basename $$directory):dev $$directory tests/images/Dockerfile; done

product-images: ## as images, without those that only tests use
	@$(CLUSTER) base
	@$(CLUSTER) image localhost/redis:7 tests/cluster/images/redis
	@$(CLUSTER) image localhost/taskgroup-operator:dev operator
	@$(CLUSTER) image localhost/taskgroup-worker:dev worker-image

install: product-images ## install or upgrade the chart on the local cluster
	@tests/cluster/install

##### Dependencies

lock: setup ## pin the dependencies anew, with hashes
	@$(LOCK) --output-file operator/requirements.lock operator/pyproject.toml
	@$(LOCK) --constraint operator/requirements.lock --group pyproject.toml:dev --output-file requirements-dev.lock operator/pyproject.toml
	@for names in $(shell git ls-files '*requirements*.in'); do $(LOCK) --output-file $${names%.in}.lock $$names; done
