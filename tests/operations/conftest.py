"""A PostgreSQL for the tests of the archive."""

from tests.archive.conftest import own_postgresql, postgresql, postgresql_url

__all__ = ["own_postgresql", "postgresql", "postgresql_url"]
