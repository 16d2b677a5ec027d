"""Groups and their members."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tidings._calls.call import Call, decoded, nothing, query, segment
from tidings._errors import InvalidArgumentError
from tidings._models import Group, Member, Page
from tidings.protocol.rest import ChangeMembers, MembersChanged

_read_changed: Final = decoded(MembersChanged)
_read_group: Final = decoded(Group)
_read_groups: Final = decoded(Page[Group])
_read_members: Final = decoded(Page[Member])


def change_members(group: str, add: Iterable[str], remove: Iterable[str]) -> Call[MembersChanged]:
    """`POST /v1/groups/{g}/members`."""
    change = ChangeMembers(add=_users(add), remove=_users(remove))
    if not (change.add or change.remove):
        raise InvalidArgumentError("There is no user to add or remove. Name at least one")
    return Call(
        method="POST",
        path=f"{_path(group)}/members",
        scope="groups",
        body=msgspec.json.encode(change),
        read=_read_changed,
    )


def get(group: str) -> Call[Group]:
    """`GET /v1/groups/{g}`."""
    return Call(method="GET", path=_path(group), scope="read", read=_read_group)


def delete(group: str) -> Call[None]:
    """`DELETE /v1/groups/{g}`."""
    return Call(method="DELETE", path=_path(group), scope="groups", read=nothing)


def listed(limit: int | None, cursor: str | None) -> Call[Page[Group]]:
    """`GET /v1/groups`."""
    asked = query(limit=limit, cursor=cursor)
    return Call(method="GET", path="/v1/groups", scope="read", query=asked, read=_read_groups)


def of_user(user: str, limit: int | None, cursor: str | None) -> Call[Page[Group]]:
    """`GET /v1/users/{u}/groups`."""
    path = f"/v1/users/{segment('user', user)}/groups"
    asked = query(limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope="read", query=asked, read=_read_groups)


def members(group: str, limit: int | None, cursor: str | None) -> Call[Page[Member]]:
    """`GET /v1/groups/{g}/members`."""
    asked = query(limit=limit, cursor=cursor)
    return Call(method="GET", path=f"{_path(group)}/members", scope="read", query=asked, read=_read_members)


def _path(group: str) -> str:
    return f"/v1/groups/{segment('group', group)}"


def _users(users: Iterable[str] | str) -> tuple[str, ...]:
    listed = (users,) if isinstance(users, str) else tuple(users)
    for user in listed:
        segment("user", user)
    return listed
