# The developer manual. Everything sets up what it needs; a second call does nothing twice.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
DEMO ?= 1
export DEMO
unexport PYTHONDONTWRITEBYTECODE  # many images set it; every test worker and program would compile all it imports again
.PHONY: run seed-plant test test-external lint types bench evaluate story chaos clean-data demo-remove backup restore setup setup-test

run: setup            ## everything on this machine, with the demo plant; Ctrl-C stops it (LAN=1: open it to phones)
	@exec $(PY) run.py

test: setup-test      ## all tests, on services of their own
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-external: setup-test  ## the same against TEST_DATABASE_URL, TEST_REDIS_URL, TEST_MQTT_URL; kills and flushes nothing
	@$(PY) -m tools.external

lint: setup-test      ## ruff: rules and format
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types: setup-test     ## mypy --strict over our own code
	@$(PY) -m mypy realtime plc ml server web ar_feed tools run.py app.py

bench: setup-test     ## figures, each beside its baseline
	@$(PY) -m bench

evaluate:             ## the monitor's detectors on public data beside the usual ones (EVAL=folder with tools/ml_eval.py and data/)
	@$(PYTHON) tools/bootstrap.py evaluate
	@OMP_NUM_THREADS=1 $(PY) -m tools.evaluate "$(EVAL)" $(ARGS)

story: setup-test     ## manager, phone and glasses walk both endings in headless Chromium; pictures in story/
	@$(PY) -m tools.story

chaos: setup-test     ## each fault five times
	@for round in 1 2 3 4 5; do echo "round $$round"; $(PY) -m pytest tests/flow tests/realtime tests/plc -m owns_services || exit 1; done

clean-data: setup     ## remove DATA_DIR and what the embedded services keep elsewhere
	@$(PY) -m tools.clean_data

seed-plant: setup     ## a believable plant of 500 machines with two years behind it, as a site of its own (ARGS="--site NORTH --orders 100000")
	@$(PY) -m server.seed $(ARGS)

backup: setup         ## an encrypted backup of the database into BACKUP_DIR, running or not
	@$(PY) -m server.backup make

restore: setup        ## FILE=...: put a backup in the place of the database; the instance must be stopped
	@$(PY) -m server.backup restore "$(FILE)"

demo-remove: setup    ## take the demo plant out of the database
	@$(PY) -m server.setup --remove-demo

setup:
	@$(PYTHON) tools/bootstrap.py run

setup-test:
	@$(PYTHON) tools/bootstrap.py test
