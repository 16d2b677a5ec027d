"""The upstream of a tenant."""

from typing import Annotated

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.plain import Plain


class SetUpstream(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The upstream to set. Without a `secret` the server makes a new one."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=limits.LINK_LENGTH,
            description="http or https, without a user and a fragment; its host has only public addresses.",
        ),
    ]
    secret: Annotated[str, Meta(description="whsec_ and 24 to 64 bytes in base64.")] | None = None


class UpstreamWithSecret(Plain, frozen=True):
    """The upstream as it was set. The secret is shown here and never again."""

    url: str
    secret: str

    def __repr__(self) -> str:
        # Without the secret: a repr may end up in a log.
        return f"UpstreamWithSecret(url={self.url!r})"


class UpstreamSetting(Plain, frozen=True):
    """The upstream of a tenant."""

    url: str
