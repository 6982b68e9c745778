"""The live site and the browser of the end-to-end tests, for attacks that need them."""

from tests.end_to_end.conftest import browser, live_site, postgres_url

__all__ = ["browser", "live_site", "postgres_url"]
