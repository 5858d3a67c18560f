# The commands of this project. Each installs what is missing (deploy/prerequisites.sh) and then
# calls cargo or the binary; nothing else is needed on a fresh machine.
.PHONY: help demo test faulty schemathesis openapi-lint fuzz sim chaos soak lint fix bench rates build release prerequisites
SHELL := bash
CARGO ?= cargo
# Always the whole workspace: another selection would compile RocksDB again.
BUILD := $(CARGO) build --workspace --bins --locked
CAUSEWAY = $${CARGO_TARGET_DIR:-target}/debug/causeway

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

prerequisites:
	@deploy/prerequisites.sh

build: prerequisites ## Build the binary
	$(BUILD)

release: prerequisites ## Build the binary that is shipped: target/release/causeway
	$(CARGO) build --release --locked --package services-cli --bin causeway

demo: build ## Run a whole network on this machine: make demo ARGS="--once"
	@$(CAUSEWAY) demo $(ARGS)

# A `causeway` that crashes on command, which some tests start.
faulty: build
	$(CARGO) build --workspace --locked --features tests/faults --bin faulty

# Most tests wait for servers more than they reckon: two at one time for each core.
export RUST_TEST_THREADS ?= $(shell expr 2 \* $$(nproc))

test: build faulty ## Run every test, or those named: make test T=NAME
	$(CARGO) test --workspace --locked $(T)
ifndef T
	@$(MAKE) sim SEEDS=45 TWICE=2
	@$(MAKE) sim SEEDS=200 ARGS=--bugs
endif

EXAMPLES ?= 120
schemathesis: build ## Call all of a gateway as /openapi.json says and does not say: make schemathesis EXAMPLES=120
	SCHEMATHESIS_EXAMPLES=$(EXAMPLES) SCHEMATHESIS_ARGS="$(ARGS)" \
		$(CARGO) test --workspace --locked --test it openapi_says -- --nocapture

openapi-lint: build ## Lint /openapi.json of a running gateway: no error, no warning
	$(CARGO) test --workspace --locked --test it openapi_is_clean -- --nocapture

SECONDS = 60
fuzz: ## Feed each target bytes for so long: make fuzz SECONDS=60 T="envelope xml"
	@deploy/fuzz.sh $(SECONDS) $(T)

SEEDS ?= 600
START ?= 1
TWICE ?= 5
sim: prerequisites ## Run clusters decided by seeds: make sim SEEDS=600 START=1, or ARGS=--bugs
	$(CARGO) build --workspace --locked --features tests/simulation --bin simulate
	@$${CARGO_TARGET_DIR:-target}/debug/simulate --seeds $(SEEDS) --start $(START) --twice $(TWICE) $(ARGS)

chaos: build faulty ## Do to real clusters what a bad year does: make chaos ARGS="kill --runs 20"
	@$${CARGO_TARGET_DIR:-target}/debug/chaos $(ARGS)

soak: build faulty ## Mix all faults on clusters under full load, one cluster after the other: make soak ROUNDS=4
	@$${CARGO_TARGET_DIR:-target}/debug/chaos $$(printf 'soak %.0s' $$(seq $(ROUNDS))) $(ARGS)
ROUNDS ?= 4

lint: prerequisites ## Check format, lints and dependencies
	$(CARGO) fmt --all --check
	deploy/dependencies.sh
	$(CARGO) lint
	$(CARGO) clippy --workspace --locked --features tests/simulation,tests/faults --bins -- -D warnings

fix: prerequisites ## Format the code
	$(CARGO) fmt --all

bench: build ## Measure the ledger on this machine: its parts, then the whole by causeway bench
	$(CARGO) bench --workspace --profile dev --locked --bench apply
	@$(CAUSEWAY) bench $(ARGS)

rates: ## Fetch real mid rates into a folder: make rates ARGS=/etc/causeway/rates
	@deploy/rates.sh $(ARGS)
