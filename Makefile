# Everything a newcomer types. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
EXAMPLE := examples/02-company-fleet

.DEFAULT_GOAL := help
.PHONY: bench-fresh bench-growth brute-force llama-server control-plane cluster-test help install demo test unit lint types floors coverage missing-tools lock clean golden memory-table bench speed-table demand-table candidate-table published cpu-speed sweep-table browser-test fuzz mutants long-run fleet-campaign pip-audit

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

install: $(STAMP) ## Make .venv and install gpu-packer with its development tools

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gpu-packer needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## Plan the company fleet: table, build/plan.json, build/manifests, build/report
	@mkdir -p build
	$(BIN)/gpu-packer plan -f $(EXAMPLE)/fleet.yaml -i inventories/eu-cluster.yaml --out build/plan.json
	$(BIN)/gpu-packer render build/plan.json --out build/manifests
	$(BIN)/gpu-packer report build/plan.json --format html,markdown,json --out build/report
	@echo "Open build/report/index.html"

test: install ## Run every check: lint, types, floors, tests with coverage
	$(MAKE) --no-print-directory lint types floors
	$(MAKE) --no-print-directory coverage
	$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory missing-tools

lint: install
	$(BIN)/ruff format --check packer tests benchmarks
	$(BIN)/ruff check packer tests benchmarks

types: install
	$(BIN)/mypy

floors: install
	$(BIN)/lint-imports

unit: install ## Run the fast tests only
	$(PYTEST) tests/unit -q

coverage: install
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest tests --numprocesses 2 --dist loadfile
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=90 --skip-covered --sort=cover | tail -n 40

missing-tools: install
	@$(BIN)/python -m tests.tools

pip-audit: ## Known vulnerabilities of the locked versions; needs the index's advisory service
	$(PYTHON) -m venv build/pip-audit
	build/pip-audit/bin/python -m pip install --quiet pip-audit==2.10.1
	build/pip-audit/bin/pip-audit --disable-pip --require-hashes --requirement requirements.lock

control-plane: install ## Build etcd, API server, scheduler …, a linter of manifests, Compose (once, cached)
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/python -m tests.linter
	$(BIN)/python -m tests.docker_compose

cluster-test: control-plane ## Everything that needs a cluster: a real API server, scheduler and allocator
	GPU_PACKER_REQUIRE_TOOLS=1 GPU_PACKER_CLUSTER_TEST=full $(PYTEST) -q tests/cluster

lock: ## Renew requirements.lock (with hashes) from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras --group dev pyproject.toml --output-file requirements.lock

clean: ## Remove what make built
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*

llama-server: install ## Build the real llama-server once, outside the tree; for the router's tests
	nice $(BIN)/python -m tests.llama_server

golden: install ## Renew manifests/, the README's table and picture, then read the difference
	GPU_PACKER_UPDATE_GOLDEN=1 $(PYTEST) -q tests/golden/test_example_manifests.py tests/docs/test_readme.py

memory-table: install ## Compare the memory model with llama.cpp's allocator; exit 1 where a bar is missed
	$(BIN)/python -m benchmarks.memory_table

bench: install ## Packing engine on its instances (CLASSES=small for the quick ones)
	CLASSES=$(CLASSES) $(BIN)/python -m benchmarks.solver_table

bench-fresh: install ## Packing engine on fresh instances of every class (SEEDS=1,2,3)
	SEEDS=$(or $(SEEDS),1,2,3) $(BIN)/python -m benchmarks.solver_fresh

bench-growth: install ## Time of the packing engine against replicas, as docs/images/solver-growth.svg
	$(BIN)/python -m benchmarks.solver_growth

brute-force: install ## Packing engine against trying everything, on 2,000 tiny instances
	GPU_PACKER_PROPERTY_CASES=2000 $(PYTEST) -q tests/properties/test_solver_optimality.py

speed-table: install ## Compare the speed model with published measurements
	$(BIN)/python -m benchmarks.speed_table

fleet-campaign: install ## Random fleets: sound plans, refusals that hold, bytes that come back (CASES=10000)
	$(BIN)/python -m benchmarks.fleet_campaign --cases $(or $(CASES),10000)

fuzz: install ## Fuzz every reader of strangers' bytes (SECONDS=10 for each)
	tests/fuzz/short_run.sh $(or $(SECONDS),10) $(BIN)/python

mutants: install ## Change the floors that matter most and see their tests fail (PARTS=units SAMPLE=400, 0 for all)
	nice $(BIN)/python -m benchmarks.mutants $(PARTS) --sample $(or $(SAMPLE),400) $(if $(PAGE),--write $(abspath $(PAGE)))

long-run: install ## 500 random events on 512 cards, a new plan after each
	$(BIN)/python -m benchmarks.long_run

cpu-speed: install ## A real llama-server on the CPU against our calibrated prediction
	$(BIN)/python -m benchmarks.cpu_server_speed

published: install ## Renew docs/published-measurements.md, then read the difference
	$(BIN)/python -m benchmarks.published_measurements --write docs/published-measurements.md

candidate-table: install ## Candidates per second of a hundred workloads with demands
	$(BIN)/python -m benchmarks.candidate_table

demand-table: install ## Queueing formulas beside a simulated server; exit 1 where one is missed
	$(BIN)/python -m benchmarks.demand_table

sweep-table: install ## 200 scenarios on processes, Ray and Dask: the same table, and how fast
	$(BIN)/python -m benchmarks.sweep_table

browser-test: install ## Open reports in headless Chromium
	GPU_PACKER_REQUIRE_TOOLS=1 $(PYTEST) -q tests/browser
