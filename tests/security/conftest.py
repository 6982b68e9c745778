"""The live site of the end-to-end tests, for attacks that need it."""

from tests.end_to_end.conftest import live_site, postgres_url

__all__ = ["live_site", "postgres_url"]
