"""`tidings groups`."""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tidings.cli.common import Common, plural, print_json
from tidings.protocol import limits

app = App(name="groups", help="List, change and delete groups.")

GroupName = Annotated[str, Parameter(name="GROUP", help="The group's id.")]
UserNames = Annotated[list[str], Parameter(name="USER", help="Users, one or more.", negative="")]
Limit = Annotated[int, Parameter(help="The largest number to print; 0 for all.", validator=Number(gte=0))]


@app.command(name="list", help="Print the groups, or those of a user.")
def list_groups(
    *,
    user: Annotated[str | None, Parameter(help="Only the groups that this user is a member of.")] = None,
    limit: Limit = limits.PAGE_DEFAULT,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print the groups with the number of their members."""
    with common.client() as client:
        wanted = limit or None
        for group in client.groups.of_user(user, limit=wanted) if user else client.groups.list(limit=wanted):
            if common.json:
                print_json(group)
            else:
                print(f"{group.id}  {plural(group.members, 'member')}")
    return 0


@app.command(help="Add users to a group.")
def add(
    group: GroupName,
    users: UserNames,
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Add users to a group. The first member creates the group."""
    with common.client() as client:
        changed = client.groups.add(group, users)
    if common.json:
        print_json(changed)
    else:
        print(f"{plural(changed.added, 'member')} added to {group}")
    return 0


@app.command(help="Remove users from a group.")
def remove(
    group: GroupName,
    users: UserNames,
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Remove users from a group. Notifications that they received stay in their inboxes."""
    with common.client() as client:
        changed = client.groups.remove(group, users)
    if common.json:
        print_json(changed)
    else:
        print(f"{plural(changed.removed, 'member')} removed from {group}")
    return 0


@app.command(help="Print a group's members.")
def members(
    group: GroupName,
    /,
    *,
    limit: Limit = limits.PAGE_DEFAULT,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a group's members in the order of joining."""
    from tidings.cli.lines import local  # noqa: PLC0415 - loads rich

    with common.client() as client:
        for member in client.groups.members(group, limit=limit or None):
            if common.json:
                print_json(member)
            else:
                print(f"{member.user}  since {local(member.joined_at)}")
    return 0


@app.command(help="Delete a group with all its memberships.")
def delete(
    group: GroupName,
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Delete a group with all its memberships. Notifications sent to it stay in the inboxes."""
    with common.client() as client:
        client.groups.delete(group)
    if common.json:
        print_json({"id": group, "status": "deleted"})
    else:
        print(f"deleted {group}")
    return 0
