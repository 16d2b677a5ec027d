"""The archive of an embedded store. Imports no store: `dev` has to set up metrics before."""

from typing import Final
from urllib.parse import quote

from msgspec import structs

from tidings_workers.config import Settings

HISTORY_FILE: Final = "history.db"


def with_own_archive(settings: Settings) -> Settings:
    """The settings with an archive in the data directory, unless they name another one, or none."""
    if settings.archive_url is not None:
        return settings
    return structs.replace(
        settings, archive_url=f"sqlite://{quote(str(settings.data.absolute() / HISTORY_FILE))}"
    )
