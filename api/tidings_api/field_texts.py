"""The meaning of each field of bodies and answers, for the OpenAPI document and the code generated from it.

The types state the limits. A text for one type replaces the text that all types share.
"""

from typing import Any, Final, get_args

from tidings.protocol import limits
from tidings.protocol.notifications import Durability, Priority, Status
from tidings_api.webhook_texts import WEBHOOK_FIELDS

# In the types these fields are plain text, so that an older client can read a newer value.
ENUMS: Final[dict[str, dict[str, list[str]]]] = {
    "Sent": {"status": list(get_args(Status)), "durability": list(get_args(Durability))},
    "SentNotification": {
        "status": list(get_args(Status)),
        "priority": list(get_args(Priority)),
    },
    "Notification": {"priority": list(get_args(Priority))},
    "BatchResult": {"status": list(get_args(Status))},
}

_SHARED: Final = {
    "accepted_at": "The time when it was accepted.",
    "actions": f"Up to {limits.ACTIONS} buttons, in their order.",
    "archived_copy": "True when it is older than the retention and comes from the history; otherwise absent.",
    "archived_at": "The time when the user archived it; null when it is not archived.",
    "body": "The text below the title.",
    "category": "The kind of the notification, such as `orders`; dots make a hierarchy.",
    "connected_at": "The time when it was opened.",
    "counts": "The current counts of the inbox.",
    "created_at": "The time when it was accepted.",
    "data": "Any object of the application; the server does not change it.",
    "durability": "The durability of the answer: `memory`, `everysec` (on disk within a second) or `always` "
    "(on disk).",
    "epoch": "The name of the store's data; it changes only when data was lost.",
    "exclude": "Users who get no copy.",
    "expires_at": "The time when it expires; absent when it is kept until its retention ends.",
    "expires_in": "Seconds from now until it expires.",
    "groups": "Groups whose members get it.",
    "topics": "Topics whose subscribers get it; without any other target.",
    "history": "`unavailable`: older items are in the history, which does not answer now; otherwise absent.",
    "icon": "The address of a picture.",
    "group_key": "Consecutive notifications with the same key may be shown as one row.",
    "id": "The id.",
    "items": "The items of this page, in the order of the list.",
    "joined_at": "The time when the user joined.",
    "link": "The address that a click opens.",
    "log": "The log that contains it: `user`, `all` or `group:<id>`.",
    "members": "The number of members.",
    "next": "The cursor of the next page; null at the end.",
    "position": "The position in the log, from 1.",
    "positions": "For each log the position up to which this page is complete.",
    "previous": "The cursor of the previous page; null at the start.",
    "priority": "The urgency.",
    "read": "The number of users who have read it.",
    "read_at": "The time when the user read it; null when it is unread.",
    "seen_at": "The time when the user saw it; null when it is unseen.",
    "state_version": "The version of the last change of state that this page includes.",
    "status": "The progress of the notification.",
    "stored_at": "The time when it was in every recipient's log; null until then.",
    "title": "The headline.",
    "to": "The recipients.",
    "unread": "The number of unread entries.",
    "unseen": "The number of unseen entries.",
    "user": "The user's id.",
    "users": "Users who get it.",
}
_USER_RECEIPT: Final = {
    "delivered": "True when a device of the user has acknowledged it.",
    "seen": "True when the user has seen it.",
    "read": "True when the user has read it.",
    "action": "The action that the user used; null without one.",
}
_PROBLEM: Final = {
    "type": "The address of the explanation: `/problems/<code>`.",
    "title": "The meaning of the code.",
    "status": "The HTTP status.",
    "detail": "The fault of this request, and the cure.",
    "code": "The stable code of the problem.",
    "request_id": "The X-Request-Id of the answer.",
    "errors": "The faults of the body, up to 20.",
}
_OWN: Final[dict[str, dict[str, str]]] = {
    "AccessToken": {
        "access_token": "The JWT, for `Authorization: Bearer`.",
        "token_type": "The scheme of the Authorization header.",
        "expires_in": "Seconds until the token expires.",
        "scope": "The scopes of the token, separated by spaces.",
    },
    "AckInbox": {
        "positions": "For each log the position up to which everything arrived.",
        "device": "The device whose positions move forward.",
    },
    "Action": {"id": "The name of the action in the application.", "label": "The text of the button."},
    "BatchAnswer": {"results": "One result per notification, in the order of the request."},
    "BatchResult": {
        "id": "The id of the notification that was accepted.",
        "status": "`accepted`; absent when there is an error.",
        "error": "The problem for which this notification was refused.",
    },
    "ChangeMembers": {"add": "Users to add.", "remove": "Users to remove."},
    "Counts": {
        "version": "The version of the counts: it rises with each change, so a higher one is newer.",
        "categories": "The counts by category, where the request has `counts=category`.",
    },
    "CreateBatch": {"notifications": f"Up to {limits.BATCH_NOTIFICATIONS:,} notifications."},
    "CreateToken": {
        "user": "The user who will connect with the token.",
        "expires_in": "Seconds until the token expires.",
        "scope": "The scope of the token.",
        "topics": "Patterns of the topics to which a connection with the token may subscribe.",
        "publish": "Patterns of the topics to which it may publish.",
    },
    "Erased": {
        "pending": "What may still have data of the user; absent when the erasure is complete.",
        "notifications": "The number of erased notifications.",
        "marks": "The number of logs whose states of the user were erased.",
        "memberships": "The number of memberships that were ended.",
        "devices": "The number of erased devices.",
        "connections": "The number of closed connections.",
        "erased_at": "The time when the erasure was complete.",
    },
    "FieldError": {
        "pointer": "The place of the fault: a JSON pointer as a URI fragment.",
        "detail": "The fault at that place.",
    },
    "GrantError": {
        **_PROBLEM,
        "error": "The code of RFC 6749, section 5.2.",
        "error_description": "The same as `detail`.",
    },
    "GrantRequest": {
        "grant_type": "The grant.",
        "scope": "The scopes of the token, separated by spaces; without it all scopes of the key.",
        "client_id": "`<tenant>.<kid>`, unless the Authorization header has it.",
        "client_secret": "The key's secret, unless the Authorization header has it.",
    },
    "Group": {"id": "The group's id.", "created_at": "The time when its first member joined."},
    "SentPage": {
        "history": "`unavailable` when older ones are in the history, which does not answer now.",
    },
    "TopicEntryPage": {
        "history": "`unavailable` when older ones are in the history, which does not answer now.",
    },
    "Health": {"status": "The state of the process."},
    "InboxItem": {
        "archived_copy": "True for one that is older than the retention and comes from the history.",
        "state": "`unseen`, `seen`, `read` or `archived`: the last of these that applies.",
        "snoozed_until": "The time when a snoozed item returns; null when it is not snoozed.",
        "action": "The action that the user used; null without one.",
        "notification": "The notification.",
    },
    "Acted": {"id": "The id of the notification.", "action": "The action that the user used."},
    "UsedAction": {"id": "The id of the action.", "at": "The time when the user used it first."},
    "InboxPage": {
        "history": "`unavailable` when older ones are in the history, which does not answer now.",
        "counts": "The counts of the whole inbox, without the filters.",
    },
    "SnoozeInbox": {
        "ids": "The ids of the notifications.",
        "until": "The time of their return, at most a year ahead; null ends the snooze now.",
    },
    "MarkInbox": {
        "state": "The new state.",
        "ids": f"Ids of up to {limits.MARK_IDS:,} notifications.",
        "up_to": "For each log a position: marks all entries up to it.",
        "all": "Marks the whole inbox.",
        "category": "Limits `all` to a category; with a dot at its end, to all that begin with it.",
    },
    "Marked": {
        "changed": "The number of notifications whose state changed.",
        "unknown": "Ids and logs that are not in this inbox.",
    },
    "MembersChanged": {
        "added": "The number of users who were added.",
        "removed": "The number of users who were removed.",
    },
    "OpenConnection": {
        "connection": "The connection's id.",
        "device": "The device's name; null when the client sent none.",
    },
    "Presence": {
        "online": "True when the user has an open connection.",
        "connections": "The open connections, oldest first.",
        "last_seen_at": "The time when the last connection closed; the current time while online; null when "
        "the user never connected.",
    },
    "ExportFault": {"error": "The problem that ended the export: it is incomplete."},
    "Problem": _PROBLEM,
    "ReceivedAction": {
        "id": "The name of the action in the application.",
        "label": "The text of the button.",
    },
    "Receipts": {
        "recipients": "The number of users to whom it was sent; null when that is unknown.",
        "delivered": "The number of users with a device that has acknowledged it, or of connections for "
        "topics.",
        "seen": "The number of users who have seen it.",
        "actions": "The number of users who used each action, by its id.",
    },
    "SentNotification": {
        "receipts": "The numbers of users who got, saw and read it.",
        "archived_copy": "True for one that is older than the retention and comes from the history.",
    },
    "Target": {"all": "Every user of the tenant gets it."},
    "SentTarget": {"all": "Every user of the tenant gets it."},
    "Topic": {
        "topic": "The name of the topic.",
        "position": "The position of its last notification; 0 when there was none yet.",
        "subscribers": "The number of connections that are subscribed to it now.",
        "created_at": "The time of its first send or subscription.",
    },
    "Event": {
        "type": "The type: one that docs/events.md lists, or `events_lost`.",
        "timestamp": "The time when it happened.",
        "data": "An object whose fields depend on the type.",
    },
    "EventList": {
        "events": "The events, sorted by time.",
        "next": "The `after` of the next request; null for a consumer.",
    },
    "AcknowledgeEvents": {"ids": "The ids of the events."},
    "EventsAcknowledged": {"acknowledged": "The number of these events that the consumer held until now."},
    "TopicEntry": {
        "archived_copy": "True for one that is older than the retention and comes from the history.",
        "log": "The log: `topic:<name>`.",
        "notification": "The notification.",
    },
    "SetUpstream": {"secret": "The secret that signs the calls; null for a new one."},
    "MessageData": {
        "connection": "The id of the connection that sent it.",
        "device": "The device that the client named; null when it named none.",
        "event": "The event that the client named.",
        "data": "The JSON that the client sent.",
        "guest": "True for a client without a token, and absent otherwise.",
    },
    "UpstreamAnswer": {
        "reply": "Any JSON for the client.",
        "notifications": "Notifications to send.",
    },
    "UpstreamRequest": {
        "type": "The kind of call.",
        "timestamp": "The time when the message arrived.",
        "data": "The message.",
    },
    "UpstreamSetting": {"url": "The URL that gets the messages."},
    "UpstreamWithSecret": {
        "url": "The URL that gets the messages.",
        "secret": "The secret that signs the calls; keep it, no other answer has it.",
    },
    **WEBHOOK_FIELDS,
    "UserReceipt": _USER_RECEIPT,
    "UserToken": {
        "token": "The JWT to connect with.",
        "expires_at": "The time when the token expires.",
        "realtime_url": "The address to connect to.",
    },
    "RealtimeAddress": {"realtime_url": "The address to connect to."},
    "RealtimeTicket": {
        "ticket": "The ticket, for the query parameter `ticket`.",
        "expires_in": "Seconds until the ticket expires.",
    },
}


def describe_fields(name: str, schema: dict[str, Any]) -> None:
    """Add the descriptions of the fields of the type `name`, and the values of the fields in ENUMS."""
    own = _OWN.get(name, {})
    for field, rule in schema.get("properties", {}).items():
        text = (
            own.get(field) or (rule.get("description") if "$ref" not in rule else None) or _SHARED.get(field)
        )
        if text is not None:
            rule["description"] = text
    for field, values in ENUMS.get(name, {}).items():
        _restrict(schema["properties"][field], values)


def _restrict(rule: dict[str, Any], values: list[str]) -> None:
    for alternative in rule.get("anyOf", [rule]):
        if alternative.get("type") == "string":
            alternative["enum"] = values
