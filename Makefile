# The README's two commands are `make quickstart` and `make test`; the rest serves the people who work on it.
SHELL := /bin/sh
VENV := .venv
PYTHON := $(VENV)/bin/python

.PHONY: quickstart test peers bench soak lint format requirements messages vendor clean

quickstart: $(VENV)/.runtime
	@$(PYTHON) manage.py quickstart $(ARGS)

test: $(VENV)/.dev
	@$(PYTHON) -m tests.servers $(ARGS)

# The real mail servers, the second DKIM verifier and the browser that only Debian packages (needs root).
peers:
	@sh scripts/peers.sh

bench: $(VENV)/.dev
	@$(PYTHON) -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

# A hundred kills -9 over 20,000 recipients; ARGS="--kills 10 --recipients 2000" for less.
soak: $(VENV)/.dev
	@$(PYTHON) -m tests.faults.soak $(ARGS)

lint: $(VENV)/.dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: $(VENV)/.dev
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

requirements:
	@sh scripts/requirements.sh

# The front end's libraries, copied into static/vendor by version (needs npm).
vendor:
	@sh scripts/vendor.sh

messages: $(VENV)/.dev
	@$(PYTHON) scripts/messages.py

$(VENV)/.runtime: requirements.txt scripts/venv.sh
	@sh scripts/venv.sh requirements.txt $@

$(VENV)/.dev: requirements.txt requirements-dev.txt scripts/venv.sh
	@sh scripts/venv.sh requirements-dev.txt $@

clean:
	@rm -rf $(VENV) staticfiles
