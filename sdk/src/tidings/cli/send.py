"""`tidings send`."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from tidings import Tidings
from tidings.cli.common import Common, print_json
from tidings.protocol.notifications import Priority


def _json_object(_: Any, tokens: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(tokens[0].value, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"a JSON object is needed, such as '{{\"order\": 4711}}': {error}") from None


def send(
    title: Annotated[str | None, Parameter(help="The title; with or without its option name.")] = None,
    *,
    body: str | None = None,
    data: Annotated[
        dict[str, Any] | None,
        Parameter(help="A JSON object.", converter=_json_object, n_tokens=1, accepts_keys=False),
    ] = None,
    user: Annotated[
        list[str] | None, Parameter(name=("--user", "--to-user"), negative="", help="A user; repeatable.")
    ] = None,
    group: Annotated[
        list[str] | None, Parameter(name=("--group", "--to-group"), negative="", help="A group; repeatable.")
    ] = None,
    everybody: Annotated[
        bool, Parameter(name=("--all", "--to-all"), negative="", help="Every user of the tenant.")
    ] = False,
    exclude: Annotated[
        list[str] | None, Parameter(negative="", help="A user who gets none; repeatable.")
    ] = None,
    category: str | None = None,
    link: Annotated[str | None, Parameter(help="Where a click leads.")] = None,
    icon: Annotated[str | None, Parameter(help="An image's URL.")] = None,
    priority: Priority = "normal",
    expires_in: Annotated[int | None, Parameter(help="Seconds until it is gone.")] = None,
    idempotency_key: Annotated[
        str | None, Parameter(help="The same key within 24 hours sends nothing more.")
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Send a notification to users, groups or all."""
    with Tidings(common.url, key=common.require_key()) as client:
        sent = client.send(
            to_users=user or (),
            to_groups=group or (),
            to_all=everybody,
            exclude=exclude or (),
            title=title,
            body=body,
            data=data,
            category=category,
            link=link,
            icon=icon,
            priority=priority,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
        )
    if common.json:
        print_json(sent)
    else:
        print(f"{sent.status} {sent.id} ({'sent before' if sent.replayed else sent.durability})")
    return 0
