# Needs only make and Python 3.11 or newer, but for what a command's help says; the first one sets up .venv from the lock.
PYTHON ?= python3
PY := .venv/bin/python
PY_LOWEST := .venv-lowest/bin/python
PY_CLUSTER := .venv-cluster/bin/python
PIP_FLAGS := --quiet --quiet --disable-pip-version-check
FUZZ_SECONDS ?= 300
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate
MODULES = $(patsubst %.__init__,%,$(subst /,.,$(basename $(filter-out %/__main__.py,$(wildcard airflow_provider_ims/*.py airflow_provider_ims/*/*.py)))))
ON_CHANGE := pyproject.toml airflow_provider_ims/__init__.py

.DEFAULT_GOAL := help
.PHONY: help demo up test test-breaking test-faults test-real test-deaths test-crashes test-hundred test-lowest test-cluster \
	test-cluster-short bench docs test-browser test-docker test-others test-release fuzz \
	mutate mutate-short lock clean
.DELETE_ON_ERROR:

help: ## what the commands are
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

demo: .venv/ready ## a real Airflow copies an image in the simulated cloud, shows how, and stops
	@$(PY) -m tests.real.demo

up: .venv/ready ## Airflow's UI and the simulated cloud, to play with until Ctrl-C
	@$(PY) -m tests.real.up

test: .venv/ready ## every check that needs only Python
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest

test-breaking: .venv/ready ## breaks promises on purpose, one by one: does a test notice?
	@$(PY) -m tests.breaking

test-faults: .venv/ready ## every fault on every endpoint: does each end as tests/FAULTS.md says?
	$(PY) -m pytest tests/faults

test-real: .venv/ready ## the provider on a real scheduler and triggerer
	$(PY) -m pytest tests/real

test-deaths: .venv/ready ## kills a task's process at every point: one image each (the short form of test-crashes)
	$(PY) -m pytest tests/crashes/test_deaths.py

test-crashes: .venv/ready ## kills tasks, scheduler and triggerer at every point: one image each
	$(PY) -m pytest tests/crashes --ignore tests/crashes/test_hundred.py

test-hundred: .venv/ready ## a hundred copies on a bad day, and five at a time: a hundred images
	$(PY) -m pytest tests/crashes/test_hundred.py

test-others: .venv/ready .venv-openstack/locked ## a real Keystone and Glance, and OpenStack's clients: is tests/OTHERS.md true?
	$(PY) -m pytest tests/others

test-lowest: .venv-lowest/ready ## the tests on the oldest Airflow that is supported
	$(PY_LOWEST) -m pytest -m "not newest"
	$(PY_LOWEST) -m pytest -m "not newest" tests/real/test_chain.py tests/real/test_many.py -k "chain or copies_deferred or sensors_in_worker or four"

test-cluster: .venv-cluster/ready ## the services of docker/compose.yaml without Docker (needs PostgreSQL and Redis), and each of them lost: one image a copy
	@$(PY_CLUSTER) -m tests.cluster

test-cluster-short: .venv-cluster/ready ## the same with fewer copies, all losses in one run
	@$(PY_CLUSTER) -m tests.cluster --short

bench: .venv/bench-ready ## what waiting costs: ours beside the ways of today; renews the README's figures (an hour)
	@$(PY) -m tests.bench

test-browser: .venv/browser-ready ## what people see, in a real browser (needs Chromium); takes the README's pictures anew
	$(PY) -m pytest tests/browser

test-docker: .venv/docker-ready ## the image and the compose file of docker/, linted, built and run (needs Docker, or root and debootstrap)
	$(PY) -m pytest tests/docker

test-release: .venv/release-ready ## wheel and sdist: built twice alike, installed into a bare Airflow, used there
	$(PY) -m pytest tests/release

fuzz: .venv/fuzz-ready ## hostile answers, guided by what they reach in the code, for FUZZ_SECONDS (300)
	@$(PY) -m tests.fuzz $(FUZZ_SECONDS)

mutate: .venv/mutation-ready ## changes the core in thousands of places: is what no test notices in tests/MUTANTS.md?
	@$(PY) -m tests.mutants

mutate-short: .venv/mutation-ready ## the same with a tenth of the places, another one each day
	@$(PY) -m tests.mutants --short

docs: .venv/docs-ready ## the API documentation, in build/docs
	@$(PY) -W ignore -m pdoc --docformat restructuredtext --output-directory build/docs $(MODULES)
	@echo "build/docs/index.html"

lock: ## renew the lock files (needs uv)
	$(COMPILE) --upgrade --group newest pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --group lowest --resolution lowest-direct pyproject.toml -o requirements-lowest.lock
	$(COMPILE) --upgrade --group openstack -o requirements-openstack.lock
	$(COMPILE) --upgrade --group cluster pyproject.toml -o requirements-cluster.lock
	for group in bench browser docker docs release fuzz mutation; do \
		$(COMPILE) --upgrade --group $$group --constraint requirements.lock -o requirements-$$group.lock || exit; done

clean: ## remove what the commands left behind
	rm -rf .venv .venv-lowest .venv-cluster .venv-openstack build dist mutants .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find airflow_provider_ims dags tests -name __pycache__ -type d -exec rm -rf {} +

.venv/ready .venv-lowest/ready .venv-cluster/ready: %/ready: %/locked $(ON_CHANGE)
	@$*/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bench-ready .venv/browser-ready .venv/docker-ready .venv/docs-ready .venv/release-ready .venv/fuzz-ready .venv/mutation-ready: .venv/%-ready: requirements-%.lock .venv/ready
	@$(PY) -m pip install $(PIP_FLAGS) --no-deps --requirement $<
	@touch $@

.venv/locked: requirements.lock
.venv-lowest/locked: requirements-lowest.lock
.venv-cluster/locked: requirements-cluster.lock
.venv-openstack/locked: requirements-openstack.lock
.venv/locked .venv-lowest/locked .venv-cluster/locked .venv-openstack/locked:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' \
		|| { echo "$(PYTHON) lacks the module venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(@D) from $< (once)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install $(PIP_FLAGS) --no-deps --requirement $<
	@touch $@
