"""Groups and their members."""

from typing import Annotated

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.names import GroupId, Timestamp, UserId
from tidings.protocol.plain import Plain

_Changes = Annotated[tuple[UserId, ...], Meta(max_length=limits.GROUP_CHANGES)]


class ChangeMembers(Struct, frozen=True, forbid_unknown_fields=True):
    """Users to add to a group and to remove from it, up to 10,000 in all. A user in both lists is removed."""

    add: _Changes = ()
    remove: _Changes = ()


class MembersChanged(Plain, frozen=True):
    """The numbers of users that joined and left the group.

    An added user who was a member already, or a removed user who was none, does not count.
    """

    added: int
    removed: int


class Group(Struct, frozen=True):
    """A group and the number of its members."""

    id: GroupId
    members: int
    created_at: Timestamp


class Member(Struct, frozen=True):
    """A member of a group."""

    user: UserId
    joined_at: Timestamp


class GroupPage(Struct, frozen=True):
    """A page of groups, sorted by id."""

    items: list[Group]
    next: str | None
    previous: str | None


class MemberPage(Struct, frozen=True):
    """A page of the members of a group, in the order of joining."""

    items: list[Member]
    next: str | None
    previous: str | None
