.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SONG ?=

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

# The files of requirements.lock, by their hashes. Runs again only when a file it depends on is newer than the last run.
$(READY): pyproject.toml requirements.lock deploy/torch-cpu.lock deploy/cuda.lock deploy/install.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5) and "make needs Python 3.11.5 or newer: PYTHON=... names one")'
	@echo 'make sets up $(VENV), once: about 3 GB on disk (6 GB with CUDA), mostly torch, OpenVINO and tools for the tests.'
	@echo 'Expect 5 to 15 minutes on a fast line. TORCH_INDEX=URL names the index with torch for CPUs (README.md).'
	@PYTHON='$(PYTHON)' deploy/install.sh $(VENV) requirements.lock --editable
	touch $@

setup: $(READY)  ## Make .venv with everything in it

demo: $(READY)  ## Start the service, separate the bundled song (or SONG=path) over HTTP, show the stems, stop
	$(BIN)/stemsvc demo $(if $(SONG),"$$SONG")

up: $(READY)  ## Start the service on this machine, leave it running and say where
	$(BIN)/stemsvc up --detach

down: $(READY)  ## Stop what make up started
	$(BIN)/stemsvc down

# A public reader of .stem.mp4, for CI. No lock has it: `future`, which it needs, has a hole that nobody mends.
READERS := $(VENV)/readers
$(READERS): $(READY)
	$(BIN)/pip install --quiet --no-deps --target $@ stempeg==0.2.6 ffmpeg-python==0.2.0 future==1.0.0

# What MDX-Net and VR are held against, for CI: a package of 350 MB that nobody else needs.
REFERENCE := $(VENV)/audio_separator
$(REFERENCE): $(READY)
	$(BIN)/python -m tests.audio_separator

# Three at once on two cores: many tests wait for processes. Where CI is set the short tests measure coverage, which takes half as long again.
COVER := $(if $(CI),--cov --cov-report=term)
test: $(READY) $(if $(CI),$(READERS))  ## Run the tests that a new user waits for
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not long' $(COVER) tests
	# Helm is a library of Go: it gets processes of its own, beside no other one's threads and signals
	$(BIN)/python -m pytest -n 2 --dist loadfile helm/stemsvc/tests

test-long: $(READY) $(if $(CI),$(REFERENCE))  ## Run the tests that `make test` leaves out, but for the single faults
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cache-clear -m long

test-again: $(READY)  ## Run the long tests that failed in the last run once more, one at a time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --last-failed --last-failed-no-failures none -m long

RUNS ?= 1
CROWD ?= 200
faults: $(READY)  ## Inject each fault RUNS times into real processes, on each broker, and print what became of the jobs
	$(BIN)/python -m pytest tests/faults -q --runs $(RUNS) --crowd $(CROWD) $(if $(REPORT),--report $(REPORT))

SECONDS ?= 600
STACK ?= both
# OMP_NUM_THREADS as in the tests: two workers share the machine
faults-random: $(READY)  ## Kill, freeze and restart everything at random for SECONDS=600 on STACK=redis|rabbitmq|both; SEED=n replays
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.random_faults --seconds $(SECONDS) --stack $(STACK) $(if $(SEED),--seed $(SEED)) $(if $(FOLDER),--folder $(FOLDER))

MINUTES ?= 30
soak: $(READY)  ## Run small jobs for MINUTES=30 and print what grows; fails where something would double in a week
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak.soak --minutes $(MINUTES) --stack $(if $(filter both,$(STACK)),redis,$(STACK)) $(if $(REPORT),--report $(REPORT))

lint: $(READY)  ## Check style, types, layers, known holes; chart, compose, images, dashboard and alerts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=tests/plugin $(BIN)/mypy -m stemsvc_reverse.kind -m stemsvc_reverse.form -m stemsvc_reverse.work
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r stemsvc client/src api workers
	$(BIN)/python -m tests.audit
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(VENV)/site
	$(BIN)/hadolint deploy/api.Dockerfile deploy/worker.Dockerfile
	$(BIN)/python -m tests.clients
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/python -m pytest -q -p no:cacheprovider helm/stemsvc/tests tests/deploy -m 'not long'

# The page is built and committed: only who changes it needs node. The bytes are the same on each machine.
WEB := api/web
NPM := npm --prefix $(WEB)
CHROMIUM ?= /usr/bin/chromium
web:  ## Build the page into api/web/dist (needs node 20 or newer)
	$(NPM) ci
	$(NPM) run build

# Skipped with a note on a machine without node or a browser, except where CI is set.
test-web: $(READY)  ## Test the page: its parts, and the whole in a real browser against a real service
	@$(if $(CI),,command -v npm > /dev/null || { echo 'no node here: the page was not tested'; exit 0; };) \
	  [ -d $(WEB)/node_modules ] || $(NPM) ci; \
	  $(NPM) run check && $(NPM) test && \
	  PYTHON=$(abspath $(BIN)/python) CHROMIUM=$(CHROMIUM) node --test --test-concurrency=1 tests/web/page.test.mjs tests/web/chat.test.mjs

web-bench: $(READY)  ## Print the page's sizes and speed against their bars; fails where one does not hold
	$(NPM) run sizes
	PYTHON=$(abspath $(BIN)/python) CHROMIUM=$(CHROMIUM) node tests/web/bench.mjs
	PYTHON=$(abspath $(BIN)/python) CHROMIUM=$(CHROMIUM) node tests/web/player_bench.mjs

web-shots: $(READY)  ## Take pictures of each screen of the page, from a running service, into docs/
	PYTHON=$(abspath $(BIN)/python) CHROMIUM=$(CHROMIUM) node tests/web/shots.mjs

docs: $(READY)  ## Build the docs' site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

fuzz: $(READY)  ## Attack a service with hostile requests and files; fails where something dies, leaks or does not end
	$(BIN)/python -m tests.hostile.attack

load: $(READY)  ## Send 100 jobs at once and print how long the api takes to accept them
	$(BIN)/python -m tests.bench.submit

bench: $(READY)  ## Print the engine's figures against upstream's (20 min) and the demo model's; fails below a bar
	$(BIN)/python -m tests.bench.demo_model
	$(BIN)/stemsvc bench engine --output tests/bench/RESULTS.md
	$(BIN)/stemsvc bench api --output tests/bench/API.md

bench-audio: $(READY)  ## Print the figures of analyses, mixes, masters, transcriptions, exports and generations (an hour); fails below a bar
	$(BIN)/stemsvc bench audio --output tests/bench/AUDIO.md
	$(BIN)/stemsvc bench generate --output tests/bench/GENERATE.md

train-demo: $(READY)  ## Render songs and train the demo model for MINUTES=180; goes on where the last run ended
	# large tensors stay in the heap: handing them back to the system at each step costs half the speed
	MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=1073741824 GOMP_SPINCOUNT=0 \
	  nice $(BIN)/python -m training.train $(if $(MINUTES),--minutes $(MINUTES))

lock: $(READY)  ## Write the lock files again: the installed versions, or the newest ones with UPGRADE=1
	$(BIN)/python -m tests.lock $(if $(UPGRADE),--upgrade)

SBOM ?= dist/stemsvc.cdx.json
sbom: $(READY)  ## Write what is installed, with licences and hashes, as CycloneDX into dist/ (or SBOM=path)
	$(BIN)/python -m tests.sbom $(SBOM)

clean:  ## Remove what make made
	rm -rf $(VENV) demo-output site dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: web test-again test-web web-bench web-shots help setup demo up down test test-long lint load bench bench-audio train-demo lock sbom clean faults faults-random soak fuzz docs
