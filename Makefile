# `make demo` and `make check` need python3 >= 3.11, make and git; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
NATIVE := .venv/native
CRATE := kernels/native
CARGO := $(shell command -v cargo 2>/dev/null)
SPARK := .venv/spark/installed
SPARK_VERSION := 4.3.0
JAVA := $(shell command -v java 2>/dev/null)

.PHONY: demo serve native spark check lint types imports crate crate-checks browser test slow fuzz wheel pictures bench clean

demo: $(INSTALLED) native  ## the main job: what grew from native networking to docker0 with NAT
	$(BIN)/perfduck demo

# A store of the demo's recordings behind http://127.0.0.1:8480 (LISTEN=HOST:PORT).
LISTEN ?= 127.0.0.1:8480
serve: $(INSTALLED) native  ## the service, on the demo
	$(BIN)/python -c "import perfduck; perfduck.open('perfduck-demo.duckdb').ingest(manifest='fixtures/demo/recordings.csv')"
	$(BIN)/perfduck serve --store perfduck-demo.duckdb --listen $(LISTEN)

# A Spark cluster on this machine: a master, two workers, a Connect server (PORT), until Ctrl-C.
PORT ?= 15002
spark: $(INSTALLED) $(if $(JAVA),$(SPARK))  ## a cluster for `perfduck top --engine sc://127.0.0.1:15002`
	$(BIN)/python tests/spark/spark_cluster.py $(PORT)

# Spark itself, 490 MB: beside what is installed, as its Python package has the name of the client's.
$(SPARK): | $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --target $(@D) pyspark==$(SPARK_VERSION)
	touch $@

check: lint types imports crate browser test slow fuzz wheel  ## all that CI checks

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "perfduck: expected python3 >= 3.11, got $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "perfduck: this python3 lacks venv (Debian, Ubuntu: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# The compiled loops (kernels/native/): everything but stacks of --call-graph dwarf and names of Rust works without, slower.
native: $(if $(CARGO),$(NATIVE))
	@$(if $(CARGO),:,echo "perfduck: no cargo here (rustup.rs): without perfduck-native recordings are read in numpy, names of Rust stay mangled, and stacks of --call-graph dwarf are not unwound")

$(NATIVE): $(CRATE)/Cargo.toml $(CRATE)/Cargo.lock $(CRATE)/pyproject.toml $(wildcard $(CRATE)/src/*.rs) | $(INSTALLED)
	@if CARGO_BUILD_JOBS=2 nice $(BIN)/python -m pip install --quiet --disable-pip-version-check ./$(CRATE); \
	  then touch $@; \
	  else echo "perfduck: perfduck-native was not built (see above): recordings are read in numpy, names of Rust stay mangled, and stacks of --call-graph dwarf are not unwound"; fi

# Without the crates that it needs (no network) there is nothing to check: `native` has said so.
crate: native
	@if [ -n "$(CARGO)" ] && [ -e $(NATIVE) ]; then $(MAKE) --no-print-directory crate-checks; fi

crate-checks:
	cd $(CRATE) && cargo fmt --check
	cd $(CRATE) && CARGO_BUILD_JOBS=2 nice cargo clippy --quiet --release --all-targets -- --deny warnings
	cd $(CRATE) && CARGO_BUILD_JOBS=2 nice cargo test --quiet --release --no-default-features
	$(BIN)/python -c 'import perfduck_native'

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

test: $(INSTALLED) native
	$(BIN)/pytest -n auto --dist loadfile

# Changed files for all readers: make fuzz FUZZ_SECONDS=3600. What breaks one is kept in fixtures/fuzz/.
FUZZ_SECONDS ?= 10
fuzz: $(INSTALLED) native
	$(BIN)/python tests/fuzz.py --seconds $(FUZZ_SECONDS)

slow: $(INSTALLED) native $(if $(JAVA),$(SPARK))
	@$(if $(JAVA),:,echo "perfduck: no java here (apt-get install openjdk-17-jre-headless): queries are not tested on Spark")
	$(BIN)/pytest -m slow -n auto --dist loadfile

# The wheel alone, in an empty environment, away from the checkout.
wheel: $(INSTALLED)
	$(BIN)/python tests/wheel.py

# docs/terminal.svg and docs/report.png, from the demo; needs Chromium.
pictures: $(INSTALLED)
	$(BIN)/python docs/pictures.py

# All benchmarks, into bench/RESULTS.md. Without RECORDING=perf.data it makes a recording first, which
# needs root, four minutes and a machine with nothing else to do. OPTIONS are those of bench/run.py.
RECORDING ?= /tmp/perfduck-bench/perf.data
OPTIONS ?=
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/perfduck-tools
bench: $(INSTALLED) native $(RECORDING) $(if $(CARGO),$(TOOLS)/bin/inferno-collapse-perf)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	PATH=$(TOOLS)/bin:$$PATH $(BIN)/python bench/run.py $(RECORDING) $(OPTIONS)

$(TOOLS)/bin/inferno-collapse-perf:
	CARGO_BUILD_JOBS=2 nice cargo install --quiet --locked --root $(TOOLS) inferno --version 0.12.8

$(RECORDING):
	bench/record_big.sh $(@D)

clean:
	rm -rf .venv build dist $(CRATE)/target
