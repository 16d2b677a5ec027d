"""`tidings send`."""

from typing import Annotated, Any

from cyclopts import Parameter

from tidings import Tidings
from tidings.cli import values
from tidings.cli.common import Common, WrongUsageError, print_json
from tidings.protocol.notifications import Priority


def send(
    title: Annotated[
        str | None, Parameter(show_default=False, help="The title, as an argument or as --title.")
    ] = None,
    *,
    user: Annotated[
        list[str] | None, Parameter(name=("--user", "--to-user"), negative="", help="A user; repeatable.")
    ] = None,
    group: Annotated[
        list[str] | None, Parameter(name=("--group", "--to-group"), negative="", help="A group; repeatable.")
    ] = None,
    everybody: Annotated[
        bool,
        Parameter(
            name=("--all", "--to-all"), negative="", show_default=False, help="Every user of the tenant."
        ),
    ] = False,
    exclude: Annotated[
        list[str] | None, Parameter(negative="", help="A user who receives no copy; repeatable.")
    ] = None,
    topic: Annotated[
        list[str] | None,
        Parameter(
            name=("--topic", "--to-topic"), negative="", help="A topic, without other targets; repeatable."
        ),
    ] = None,
    body: Annotated[str | None, Parameter(help="The text below the title.")] = None,
    data: Annotated[
        dict[str, Any] | None,
        Parameter(
            help="A JSON object for your own code.",
            converter=values.json_object,
            n_tokens=1,
            accepts_keys=False,
        ),
    ] = None,
    category: Annotated[str | None, Parameter(help="The subject; inboxes filter by it.")] = None,
    link: Annotated[str | None, Parameter(help="The URL that a click opens.")] = None,
    icon: Annotated[str | None, Parameter(help="An image's URL.")] = None,
    group_key: Annotated[
        str | None, Parameter(help="Consecutive notifications with this key are one row of an inbox.")
    ] = None,
    action: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            validator=values.check_actions,
            help="A button: ID=LABEL, or ID=LABEL=LINK; repeatable.",
        ),
    ] = None,
    priority: Annotated[Priority, Parameter(help="How urgent it is.")] = "normal",
    expires_in: Annotated[
        int | None,
        Parameter(
            converter=values.duration,
            n_tokens=1,
            help="The time until it is removed: seconds, or 30s, 90m, 12h, 1d.",
        ),
    ] = None,
    file: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Send each line of this file, `-` for standard input: a JSON object as the API takes it.",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None, Parameter(help="A second send with the same key within 24 hours sends nothing.")
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Send a notification to users, groups, topics or all; or many from a file."""
    content = {"title": title, "body": body, "data": data}
    details = {
        "category": category,
        "link": link,
        "icon": icon,
        "group_key": group_key,
        "expires_in": expires_in,
    }
    target = {
        "to_users": user or (),
        "to_groups": group or (),
        "exclude": exclude or (),
        "to_topics": topic or (),
    }
    given = [*content.values(), *details.values()]
    if file is not None:
        if everybody or action or any(target.values()) or any(value is not None for value in given):
            raise WrongUsageError("--file excludes a title and the options of a notification. Leave them out")
        from tidings.cli.sendfile import send_file  # noqa: PLC0415 - only for many

        return send_file(file, common, idempotency_key)
    if not (user or group or topic or everybody):
        raise WrongUsageError("There is no target. Give --user, --group, --topic or --all")
    if all(value is None for value in content.values()):
        raise WrongUsageError("There is no content. Give a title, --body or --data")
    with common.client() as client:
        return _send(
            client,
            {
                **target,
                **content,
                **details,
                "to_all": everybody,
                "actions": [values.action(text) for text in action or ()],
                "priority": priority,
            },
            idempotency_key,
            as_json=common.json,
        )


def _send(client: Tidings, message: dict[str, Any], idempotency_key: str | None, *, as_json: bool) -> int:
    sent = client.send(idempotency_key=idempotency_key, **message)
    if as_json:
        print_json(sent)
    else:
        print(f"{sent.status} {sent.id} ({'sent before' if sent.replayed else sent.durability})")
    return 0
