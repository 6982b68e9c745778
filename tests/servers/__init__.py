"""The real servers that the tests and the benchmarks talk to, each private, temporary and on loopback.

`python -m tests.servers [pytest's arguments]` is what `make test` runs: see `__main__`. Every server
is a class with `start()` and `stop()` (and is a context manager); none outlives the process that
started it, however that process ends (`process`), nor does its folder (`folder`).
"""
