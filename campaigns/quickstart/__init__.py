"""The first run: everything in one process, with demo data and a mail sandbox (README, `make quickstart`)."""
