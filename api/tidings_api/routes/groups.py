"""Groups and their members."""

from typing import Final

from litestar import Router, delete, get, post, put
from litestar.params import JSONBody

from tidings.protocol import limits
from tidings.protocol.errors import FieldError
from tidings.protocol.rest import ChangeMembers, Group, GroupPage, Member, MemberPage, MembersChanged
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.problems import ProblemError
from tidings_api.requests import BODY_BYTES_OPTION, Caller, Cursor, GroupPath, Limit, OpenStore, UserPath
from tidings_workers.store import GroupInfo, Page
from tidings_workers.strict_json import INVALID

# 10,000 ids of 128 characters, with quotes and commas.
CHANGE_BYTES: Final = limits.GROUP_CHANGES * (limits.ID_LENGTH + 4) + 1024


@get("/v1/groups", opt=needs("read"), summary="List groups")
async def list_groups(
    identity: Caller, store: OpenStore, limit: Limit = limits.PAGE_DEFAULT, cursor: Cursor = None
) -> GroupPage:
    """The tenant's groups, ordered by id."""
    cursors = Cursors(store, identity.tenant, "groups")
    return _group_page(await store.groups.page(identity.tenant, limit, cursors.read(cursor)), cursors)


@get("/v1/groups/{group:str}", opt=needs("read"), summary="Get a group")
async def get_group(group: GroupPath, identity: Caller, store: OpenStore) -> Group:
    """A group, with its number of members."""
    found = await store.groups.get(identity.tenant, group)
    if found is None:
        raise ProblemError("not_found", f"There is no group {group!r}.")
    return _group(found)


@delete("/v1/groups/{group:str}", opt=needs("groups"), summary="Delete a group")
async def delete_group(group: GroupPath, identity: Caller, store: OpenStore) -> None:
    """Ends all memberships of the group. Members keep what was sent to the group so far. Idempotent."""
    await store.groups.delete(identity.tenant, group)


@get("/v1/groups/{group:str}/members", opt=needs("read"), summary="List the members of a group")
async def list_members(
    group: GroupPath,
    identity: Caller,
    store: OpenStore,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> MemberPage:
    """The members in the order of joining; an empty page for a group that does not exist."""
    cursors = Cursors(store, identity.tenant, "members", group)
    page = await store.groups.members(identity.tenant, group, limit, cursors.read(cursor))
    return MemberPage(
        [Member(user, timestamp(joined_at)) for user, joined_at in page.items],
        cursors.write(page.next),
        cursors.write(page.previous),
    )


@post(
    "/v1/groups/{group:str}/members",
    opt={**needs("groups"), BODY_BYTES_OPTION: CHANGE_BYTES},
    status_code=200,
    summary="Change many members of a group",
)
async def change_members(
    group: GroupPath, data: JSONBody[ChangeMembers], identity: Caller, store: OpenStore
) -> MembersChanged:
    """Adds users, then removes users. The first member creates the group. A later send sees the change."""
    if len(data.add) + len(data.remove) > limits.GROUP_CHANGES:
        raise ProblemError(
            "invalid_request",
            INVALID,
            (FieldError("#", f"add and remove name more than {limits.GROUP_CHANGES:,} users together."),),
        )
    return MembersChanged(*await store.groups.change(identity.tenant, group, data.add, data.remove))


@put(
    "/v1/groups/{group:str}/members/{user:str}",
    opt=needs("groups"),
    status_code=204,
    summary="Add a user to a group",
)
async def add_member(group: GroupPath, user: UserPath, identity: Caller, store: OpenStore) -> None:
    """The user gets each notification to the group from now on. Idempotent."""
    await store.groups.change(identity.tenant, group, [user], [])


@delete(
    "/v1/groups/{group:str}/members/{user:str}", opt=needs("groups"), summary="Remove a user from a group"
)
async def remove_member(group: GroupPath, user: UserPath, identity: Caller, store: OpenStore) -> None:
    """The user keeps the notifications to the group so far, and gets no further ones. Idempotent."""
    await store.groups.change(identity.tenant, group, [], [user])


@get("/v1/users/{user:str}/groups", opt=needs("read"), summary="List the groups of a user")
async def list_groups_of_user(
    user: UserPath,
    identity: Caller,
    store: OpenStore,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> GroupPage:
    """The groups of the user, ordered by id; an empty page for an unknown user."""
    cursors = Cursors(store, identity.tenant, "groups-of", user)
    return _group_page(
        await store.groups.of_user(identity.tenant, user, limit, cursors.read(cursor)), cursors
    )


routes: Final = Router(
    "/",
    tags=["Groups"],
    route_handlers=[
        list_groups,
        get_group,
        delete_group,
        list_members,
        change_members,
        add_member,
        remove_member,
        list_groups_of_user,
    ],
)


def _group(info: GroupInfo) -> Group:
    return Group(info.id, info.members, timestamp(info.created_at))


def _group_page(page: Page[GroupInfo], cursors: Cursors) -> GroupPage:
    return GroupPage(
        [_group(info) for info in page.items], cursors.write(page.next), cursors.write(page.previous)
    )
