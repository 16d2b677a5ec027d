"""The samples in Python: calls of the SDK, or of httpx where the SDK has no method."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from tidings_api.literals import PYTHON, literal


class Request(Struct, frozen=True, kw_only=True):
    """A request to show: its path and query, the variable of its token ("" for none), and its body.

    `answers`: the answer has a body, as JSON or, with `is_text`, as text.
    """

    operation: str
    method: str
    target: str
    token: str
    is_of_user: bool
    is_form: bool
    body: Any
    answers: bool
    is_text: bool


# The lines of each operation in `with Tidings.from_env() as tidings:`. Parameters and fields are in braces.
_CALLS: Final = {
    "list_sent": """\
for sent in tidings.sent(category="orders", limit=50):
    print(sent.id, sent.status)""",
    "get_notification": """\
sent = tidings.get({notification})
print(sent.status, sent.receipts)""",
    "recall": "tidings.recall({notification})",
    "list_receipts": """\
for receipt in tidings.receipts({notification}):
    print(receipt.user, receipt.read_at)""",
    "export_notifications": """\
for sent in tidings.export():
    print(sent.id, sent.title)""",
    "list_groups": """\
for group in tidings.groups.list():
    print(group.id, group.members)""",
    "get_group": """\
group = tidings.groups.get({group})
print(group.members)""",
    "delete_group": "tidings.groups.delete({group})",
    "list_members": """\
for member in tidings.groups.members({group}):
    print(member.user, member.joined_at)""",
    "change_members": """\
tidings.groups.add({group}, {add})
tidings.groups.remove({group}, {remove})""",
    "add_member": "tidings.groups.add({group}, {user})",
    "remove_member": "tidings.groups.remove({group}, {user})",
    "list_groups_of_user": """\
for group in tidings.groups.of_user({user}):
    print(group.id)""",
    "list_inbox": """\
page = tidings.inbox({user}).list(state="unread").page()
print(page.counts.unread)
for item in page.items:
    print(item.notification.title)""",
    "list_own_inbox": """\
page = tidings.inbox().list(state="unread").page()
print(page.counts.unread)
for item in page.items:
    print(item.notification.title)""",
    "mark_inbox": "tidings.inbox({user}).mark({state}, up_to={up_to})",
    "mark_own_inbox": "tidings.inbox().mark({state}, up_to={up_to})",
    "snooze_inbox": "tidings.inbox({user}).snooze({ids}, until=datetime.fromisoformat({until}))",
    "snooze_own_inbox": "tidings.inbox().snooze({ids}, until=datetime.fromisoformat({until}))",
    "use_action": "tidings.inbox({user}).act({notification}, {action})",
    "use_own_action": "tidings.inbox().act({notification}, {action})",
    "get_presence": """\
presence = tidings.users.presence({user})
print(presence.online, presence.last_seen_at)""",
    "disconnect_user": "tidings.users.disconnect({user})",
    "disconnect_connection": "tidings.users.disconnect(connection={connection_id})",
    "erase_user": """\
erased = tidings.users.erase({user})
print(erased.notifications, erased.marks)""",
    "create_token": """\
token = tidings.tokens.create({user}, expires_in={expires_in})
print(token["token"])""",
    "get_upstream": "print(tidings.upstream.get().url)",
    "set_upstream": """\
upstream = tidings.upstream.set({url})
print(upstream.secret)""",
    "remove_upstream": "tidings.upstream.remove()",
    "read_events": """\
# An event is acknowledged when the next one is taken.
for event in tidings.events(types=["notification.stored"], consumer="worker"):
    print(event.type, event.data)""",
    "list_webhooks": """\
for webhook in tidings.webhooks.list():
    print(webhook.id, webhook.url)""",
    "create_webhook": """\
webhook = tidings.webhooks.create({url}, {events})
print(webhook.id, webhook.secret)""",
    "get_webhook": """\
webhook = tidings.webhooks.get({webhook})
print(webhook.url, webhook.enabled)""",
    "delete_webhook": "tidings.webhooks.delete({webhook})",
    "update_webhook": "tidings.webhooks.update({webhook}, events={events})",
    "rotate_webhook": """\
webhook = tidings.webhooks.rotate({webhook})
print(webhook.secret)""",
    "test_webhook": """\
outcome = tidings.webhooks.test({webhook})
print(outcome.succeeded, outcome.error)""",
    "list_deliveries": """\
for delivery in tidings.webhooks.deliveries({webhook}, status="pending"):
    print(delivery.id, delivery.next_try_at)""",
    "retry_delivery": "tidings.webhooks.retry({webhook}, {delivery})",
    "replay_webhook": "tidings.webhooks.replay({webhook}, since=datetime.fromisoformat({since}))",
}
# The operations with a time.
_TIMED: Final = {"replay_webhook", "snooze_inbox", "snooze_own_inbox"}


def source(request: Request, values: Mapping[str, str]) -> str:
    """The sample for a request. `values` are those of the parameters in its path."""
    calls = list(_calls(request, values))
    if not calls:
        return _httpx(request)
    imports = ["from datetime import datetime"] if request.operation in _TIMED else []
    client = "Tidings.from_env()"
    if request.is_of_user:
        imports = ["import os", *imports]
        client = 'Tidings.from_env(token=os.environ["USER_TOKEN"])'
    lines = [f"with {client} as tidings:", *(f"    {line}" for line in calls)]
    standard = [*imports, ""] if imports else []
    return "\n".join([*standard, "from tidings import Tidings", "", *lines])


def _calls(request: Request, values: Mapping[str, str]) -> Iterator[str]:
    """The lines that call the SDK; none if it has no method."""
    if request.operation == "send":
        yield "sent = tidings.send("
        for name, value in _keywords(request.body).items():
            start = f"    {name}="
            yield from f"{start}{literal(value, PYTHON, before=start)},".split("\n")
        yield ")"
        yield "print(sent.id)"
    elif request.operation == "send_batch":
        messages = [_keywords(each) for each in request.body["notifications"]]
        start = "results = tidings.send_batch("
        yield from f"{start}{literal(messages, PYTHON, before=start)})".split("\n")
        yield "for result in results:"
        yield "    print(result.id, result.error)"
    elif request.operation in _CALLS:
        body = request.body if isinstance(request.body, dict) else {}
        texts = {name: literal(value, PYTHON) for name, value in {**values, **body}.items()}
        yield from _CALLS[request.operation].format(**texts).split("\n")


def _keywords(body: Mapping[str, Any]) -> dict[str, Any]:
    """A notification as the keywords of `send`."""
    targets = {f"to_{name}": value for name, value in body["to"].items()}
    return targets | {name: value for name, value in body.items() if name != "to"}


def _httpx(request: Request) -> str:
    lines = ["import os", "", "import httpx", ""]
    options = []
    if request.is_form:
        lines.append('client, _, secret = os.environ["TIDINGS_KEY"].rpartition(".")')
        options += ["    auth=(client, secret),", '    data={"grant_type": "client_credentials"},']
    elif request.token:
        options.append(f'    headers={{"Authorization": f"Bearer {{os.environ[\'{request.token}\']}}"}},')
    if request.body is not None:
        options.append(f"    json={literal(request.body, PYTHON, before='    json=')},")
    address = f'os.environ["TIDINGS_URL"] + "{request.target}"'
    name = request.method.lower()
    if options:
        lines += [f"response = httpx.{name}(", f"    {address},", *options, ")"]
    else:
        lines.append(f"response = httpx.{name}({address})")
    lines.append("response.raise_for_status()")
    if request.answers:
        lines.append("print(response.text)" if request.is_text else "print(response.json())")
    return "\n".join(lines)
