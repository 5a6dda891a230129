# Every target sets up what it needs: a virtual environment from the lock file.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

$(READY): requirements-dev.lock pyproject.toml setup
	./setup $(VENV) $(PYTHON)
	@touch $@

.PHONY: help demo test check format man bench soak kill panic-check panic-race feed-day corpus fault-matrix protection three-days accounts control-storm lifecycle conformance config-reference clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## trade a recorded morning on the built-in exchange
	$(BIN)/lowcapd demo

test: $(READY) ## the whole test suite
	$(BIN)/python -m pytest

check: $(READY) ## formatter, linter, strict type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## rewrite the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

man: $(READY) ## the manual pages in docs/man, from the command table
	$(BIN)/python -m lowcap.manual docs/man

bench: $(READY) ## detection, wire to wire, a flood, orders, the gate, start-up: each beside a baseline
	$(BIN)/python -m bench.detection
	$(BIN)/python -m bench.wire_to_wire
	$(BIN)/python -m bench.flood
	$(BIN)/python -m bench.orders
	$(BIN)/python -m bench.gate
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.latency

soak: $(READY) ## ten minutes of looping news: trades, memory, log (10 min)
	$(BIN)/python -m tests.long.soak

kill: $(READY) ## fifty SIGKILLs around orders, recovery checked each time
	$(BIN)/python -m tests.long.kill

panic-check: $(READY) ## panic with an entry in flight, across a restart
	$(BIN)/python -m pytest tests/daemon/test_panic.py

panic-race: $(READY) ## panic at 1,000 random instants around entries (about 4 min)
	$(BIN)/python -m tests.long.panic_race

feed-day: $(READY) ## a scripted day of all feeds in virtual time (about 4 min)
	$(BIN)/python -m tests.long.feed_day

corpus: $(READY) ## a corpus of real frames, each at its own time (LOWCAP_CORPUS=DIR)
	$(BIN)/python -m tests.long.real_frames

fault-matrix: $(READY) ## every fault of the venue at every step of a trade (about 2 min)
	$(BIN)/python -m tests.long.fault_matrix

protection: $(READY) ## 500 sessions of a rough market: is there always a stop (about 7 min)
	$(BIN)/python -m tests.long.protection

three-days: $(READY) ## 72 hours of trading, cuts and expired keys, twice (about 5 min)
	$(BIN)/python -m tests.long.three_days

control-storm: $(READY) ## 1,000 hostile clients while halt must be heard at once (about 1 min)
	$(BIN)/python -m tests.long.control_storm

accounts: $(READY) ## 24 hours of trading whose ledger explains the wallet (2 to 5 min)
	$(BIN)/python -m tests.long.books_day

lifecycle: $(READY) ## 2,000 random lives of orders against the simulator
	LOWCAP_SEQUENCES=2000 $(BIN)/python -m pytest tests/execution/test_lifecycle_machine.py

conformance: $(READY) ## other people's clients against the simulator (installs them)
	LOWCAP_CONFORMANCE=1 $(BIN)/python -m pytest tests/conformance

config-reference: $(READY) ## write docs/configuration.md from the code
	$(BIN)/python -m lowcap.config_reference > docs/configuration.md

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
