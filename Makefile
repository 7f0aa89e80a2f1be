# Each target makes its own environment in .venv; nothing else is installed or changed.

PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
DATA ?= ../shared/data/human/geuvadis
ELEMENTS ?= ../shared/data/human/probing/encode_tfbs_clusters.hg19.chr22.bed.gz

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1

# Modules are compiled once, not in every process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test tests lint format docs bench fuzz networks clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.runtime ## run the main job on the packaged data; the report is demo/report.html
	$(BIN)/cisgram demo --out demo

test: .venv/.dev .networks/.ready ## linters, types and import layers, beside every test that is not slow
	@$(MAKE) --no-print-directory --jobs 2 lint tests

tests: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n $$(nproc) --dist loadfile $(PYTEST_ARGS)

lint: .venv/.dev ## ruff, import-linter and pyright
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/.docs ## build the site into site/; open site/index.html, no server needed
	$(BIN)/mkdocs build --quiet

bench: .venv/.dev .venv-solvers/.ready .venv-windows/.ready .venv-mutagenesis/.ready ## measure on DATA and compare with other packages; hours, rewrites benchmarks/results
	$(BIN)/python benchmarks/geuvadis_linear.py --data $(DATA) --work .cache/bench/linear \
		--json benchmarks/results/geuvadis_linear.json
	$(BIN)/python benchmarks/geuvadis_prior.py --data $(DATA) --elements $(ELEMENTS) --work .cache/bench/linear \
		--json benchmarks/results/geuvadis_prior.json
	$(BIN)/python benchmarks/elastic_net_solver.py --genotypes $(DATA)/genotypes.chr22.vcf.gz \
		--expression $(DATA)/genes.50percent.chr22.bed.gz --covariates $(DATA)/genes.covariates.pc50.txt.gz \
		--peer-python .venv-solvers/bin/python --work .cache/bench/solvers \
		--json benchmarks/results/elastic_net_solver.json
	$(BIN)/python benchmarks/haplotype_windows.py --genotypes $(DATA)/genotypes.chr22.vcf.gz \
		--expression $(DATA)/genes.50percent.chr22.bed.gz --peer-python .venv-windows/bin/python \
		--json benchmarks/results/haplotype_windows.json
	$(BIN)/python benchmarks/mutagenesis.py --peer-python .venv-mutagenesis/bin/python \
		--json benchmarks/results/mutagenesis.json
	$(BIN)/python benchmarks/growth.py --genotypes $(DATA)/genotypes.chr22.vcf.gz \
		--expression $(DATA)/genes.50percent.chr22.bed.gz --json benchmarks/results/growth.json
	$(BIN)/python scripts/render_docs.py

fuzz: .venv/.dev ## spoil inputs, kill commands and fill the disk; minutes, rewrites benchmarks/results/faults.json
	$(BIN)/python benchmarks/faults.py --json benchmarks/results/faults.json

networks: .networks/.ready ## public networks that tests wrap (65 MB), beside the environment and its pins

clean: ## remove the environment, caches and the demo's results
	rm -rf .venv .venv-solvers .venv-windows .venv-mutagenesis .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .networks demo site

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.runtime: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing cisgram and what it needs (PyTorch is the largest) into .venv; once, some minutes."
	$(BIN)/python -m pip install --progress-bar on --editable .
	@touch $@

.venv/.docs: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing cisgram and what its site is built with into .venv."
	$(BIN)/python -m pip install --progress-bar on --editable '.[docs]'
	@touch $@ .venv/.runtime

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing cisgram and what its tests need (PyTorch is the largest) into .venv; once, some minutes."
	$(BIN)/python -m pip install --progress-bar on --editable '.[dev]'
	@touch $@ .venv/.runtime .venv/.docs

.networks/.ready: tests/models/networks.txt | .venv/bin/python
	PIP_CONSTRAINT= $(BIN)/python -m pip install --quiet --no-deps --no-compile --upgrade --target $(@D) --requirement $<
	@touch $@

# Peers of the benchmarks, each in an environment of its own: their pins and ours disagree.
.venv-%/.ready: benchmarks/peers/%.txt
	$(PYTHON) -m venv $(@D)
	PIP_CONSTRAINT= $(@D)/bin/python -m pip install --quiet --requirement $<
	@touch $@
