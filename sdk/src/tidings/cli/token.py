"""`tidings token`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli import values
from tidings.cli.common import Common, note, print_json


def token(
    user: Annotated[str, Parameter(name="USER", help="The user's id.")],
    /,
    *,
    expires_in: Annotated[
        int, Parameter(converter=values.duration, n_tokens=1, help="How long it is valid: at most 24h.")
    ] = 3600,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a new token for a user's own inbox, and on stderr the realtime URL for it."""
    with common.client() as client:
        made = client.tokens.create(user, expires_in=expires_in)
    if common.json:
        print_json(made)
        return 0
    from tidings.cli.lines import local  # noqa: PLC0415 - loads rich

    print(made.token)
    note(f"for {user}, until {local(made.expires_at)}; connect to {made.realtime_url}")
    return 0
