# `make demo` and `make check` need python3 >= 3.11, make and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo serve check lint types imports browser test slow fuzz wheel pictures bench clean

demo: $(INSTALLED)  ## the main job: what grew from native networking to docker0 with NAT
	$(BIN)/perfduck demo

# A store of the demo's recordings behind http://127.0.0.1:8480 (LISTEN=HOST:PORT).
LISTEN ?= 127.0.0.1:8480
serve: $(INSTALLED)  ## the service, on the demo
	$(BIN)/python -c "import perfduck; perfduck.open('perfduck-demo.duckdb').ingest(manifest='fixtures/demo/recordings.csv')"
	$(BIN)/perfduck serve --store perfduck-demo.duckdb --listen $(LISTEN)

check: lint types imports browser test slow fuzz wheel  ## all that CI checks

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "perfduck: expected python3 >= 3.11, got $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "perfduck: this python3 lacks venv (Debian, Ubuntu: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

# The tests of the html report need a browser; without one they are skipped.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  echo "perfduck: no Chromium here (apt-get install chromium): the html report is not tested in a browser"

test: $(INSTALLED)
	$(BIN)/pytest -n auto --dist loadfile

# Changed files for all readers: make fuzz FUZZ_SECONDS=3600. What breaks one is kept in fixtures/fuzz/.
FUZZ_SECONDS ?= 10
fuzz: $(INSTALLED)
	$(BIN)/python tests/fuzz.py --seconds $(FUZZ_SECONDS)

slow: $(INSTALLED)
	$(BIN)/pytest -m slow -n auto --dist loadfile

# The wheel alone, in an empty environment, away from the checkout.
wheel: $(INSTALLED)
	$(BIN)/python tests/wheel.py

# docs/terminal.svg and docs/report.png, from the demo; needs Chromium.
pictures: $(INSTALLED)
	$(BIN)/python docs/pictures.py

# All benchmarks, into bench/RESULTS.md. Without RECORDING=perf.data it makes a recording first, which
# needs root, four minutes and a machine with nothing else to do.
RECORDING ?= /tmp/perfduck-bench/perf.data
bench: $(INSTALLED) $(RECORDING)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python bench/run.py $(RECORDING)

$(RECORDING):
	bench/record_big.sh $(@D)

clean:
	rm -rf .venv build dist
