"""What each field of a body or an answer means, for the OpenAPI document and what is generated from it.

Units and limits stand in the types; a type's own text wins over the text that all types share.
"""

from typing import Any, Final, get_args

from tidings.protocol import limits
from tidings.protocol.notifications import Durability, Priority, Status

# Answers are text in the types, so that a client reads a value that it does not know yet.
ENUMS: Final[dict[str, dict[str, list[str]]]] = {
    "Sent": {"status": list(get_args(Status)), "durability": list(get_args(Durability))},
    "SentNotification": {"status": list(get_args(Status)), "priority": list(get_args(Priority))},
    "Notification": {"priority": list(get_args(Priority))},
    "BatchResult": {"status": list(get_args(Status))},
}

_SHARED: Final = {
    "accepted_at": "When it was accepted.",
    "actions": f"Up to {limits.ACTIONS} buttons, in their order.",
    "archived_at": "When it was archived; null while it is not.",
    "body": "The text below the title.",
    "category": "What kind of notification it is, such as `orders`; dots make a hierarchy.",
    "connected_at": "Since when it has been open.",
    "counts": "The counts of the inbox now.",
    "created_at": "When it was accepted.",
    "data": "Any object of the application's own; it is passed on unchanged.",
    "durability": "What held when the answer was given: in memory, on disk within a second, or on disk.",
    "epoch": "Names the store's data; another only when data was lost.",
    "exclude": "Users who get no copy.",
    "expires_at": "When it ends; absent when it does not end before its retention.",
    "expires_in": "Seconds from now until it ends.",
    "groups": "Groups whose members get it.",
    "icon": "Address of a picture.",
    "id": "The id.",
    "items": "The items of this page, in the order of the list.",
    "joined_at": "When the user joined.",
    "link": "Where a click leads.",
    "log": "The log that it is in: `user`, `all` or `group:<id>`.",
    "members": "How many members it has.",
    "next": "The cursor of the next page; null at the end.",
    "position": "Its place in the log, from 1.",
    "positions": "For each log the position up to which this page is complete.",
    "previous": "The cursor of the previous page; null at the start.",
    "priority": "How pressing it is.",
    "read": "How many users have read it.",
    "read_at": "When it was read; null while it is not.",
    "seen_at": "When it was seen; null while it is not.",
    "state_version": "The last change of state that is in this page.",
    "status": "How far it has come.",
    "stored_at": "When it was in every recipient's log; null until then.",
    "title": "The headline.",
    "to": "Who it is for.",
    "unread": "How many are not read.",
    "unseen": "How many are not seen.",
    "user": "The user's id.",
    "users": "Users who get it.",
}
_USER_RECEIPT: Final = {
    "delivered": "Whether a device of the user has acknowledged it.",
    "seen": "Whether the user has seen it.",
    "read": "Whether the user has read it.",
}
_PROBLEM: Final = {
    "type": "Where the problem is explained: `/problems/<code>`.",
    "title": "The meaning of the code.",
    "status": "The HTTP status.",
    "detail": "What was wrong with this request, and what to do.",
    "code": "The stable code of the problem.",
    "request_id": "The X-Request-Id of the answer.",
    "errors": "What is wrong with the body: up to 20 faults.",
}
_OWN: Final[dict[str, dict[str, str]]] = {
    "AccessToken": {
        "access_token": "The JWT, for `Authorization: Bearer`.",
        "token_type": "How the token is sent.",
        "expires_in": "Seconds until the token ends.",
        "scope": "What the token allows: words apart by spaces.",
    },
    "Action": {"id": "Names the action for the application.", "label": "The text of the button."},
    "BatchAnswer": {"results": "One result per notification, in the order of the request."},
    "BatchResult": {
        "id": "The id of the notification that was accepted.",
        "status": "`accepted`, unless there is an error.",
        "error": "Why this notification was refused.",
    },
    "ChangeMembers": {"add": "Users to add.", "remove": "Users to remove."},
    "Counts": {
        "version": "Rises with each change of the counts: a higher one is newer.",
        "categories": "The same by category, where it was asked for.",
    },
    "CreateBatch": {"notifications": f"Up to {limits.BATCH_NOTIFICATIONS:,} notifications."},
    "CreateToken": {
        "user": "The user who will connect with the token.",
        "expires_in": "Seconds until the token ends.",
        "scope": "What the token allows.",
    },
    "Erased": {
        "notifications": "Notifications that were erased.",
        "marks": "Logs of which the user's states were erased.",
        "memberships": "Memberships that were ended.",
        "devices": "Devices that were forgotten.",
        "connections": "Connections that were closed.",
        "erased_at": "When it was done.",
    },
    "FieldError": {
        "pointer": "The place of the fault: a JSON pointer as a URI fragment.",
        "detail": "What is wrong there.",
    },
    "GrantError": {
        **_PROBLEM,
        "error": "The code of RFC 6749, section 5.2.",
        "error_description": "The same as `detail`.",
    },
    "GrantRequest": {
        "grant_type": "The grant.",
        "scope": "What the token is to allow: words apart by spaces; without it all that the key has.",
        "client_id": "`<tenant>.<kid>`, unless the Authorization header names it.",
        "client_secret": "The key's secret, unless the Authorization header has it.",
    },
    "Group": {"id": "The group's id.", "created_at": "When its first member joined."},
    "Health": {"status": "The state of the process."},
    "InboxItem": {"state": "The furthest that it came to.", "notification": "What was sent."},
    "InboxPage": {"counts": "The counts of the whole inbox, whatever the filters."},
    "MarkInbox": {
        "state": "What they become.",
        "ids": f"Ids of up to {limits.MARK_IDS:,} notifications.",
        "up_to": "For each log a position: everything up to it.",
        "all": "Everything in the inbox.",
        "category": "Narrows `all` to a category; with a dot at its end, to all that begin so.",
    },
    "Marked": {
        "changed": "How many notifications changed their state.",
        "unknown": "Ids and logs that are not of this inbox.",
    },
    "MembersChanged": {"added": "Users who were added.", "removed": "Users who were removed."},
    "OpenConnection": {
        "connection": "The connection's id.",
        "device": "The device's own name; null when it gave none.",
    },
    "Presence": {
        "online": "Whether a connection of the user is open.",
        "connections": "The open connections, oldest first.",
        "last_seen_at": "When the last connection ended; now while online; null when none ever was.",
    },
    "Problem": _PROBLEM,
    "ReceivedAction": {"id": "Names the action for the application.", "label": "The text of the button."},
    "Receipts": {
        "recipients": "How many users it was sent to; null where it is not known.",
        "delivered": "How many users have a device that acknowledged it.",
        "seen": "How many users have seen it.",
    },
    "SentNotification": {"receipts": "How many users it has reached."},
    "Target": {"all": "Every user of the tenant gets it."},
    "SentTarget": {"all": "Every user of the tenant gets it."},
    "UserReceipt": _USER_RECEIPT,
    "UserToken": {
        "token": "The JWT to connect with.",
        "expires_at": "When the token ends.",
        "realtime_url": "Where to connect.",
    },
}


def describe_fields(name: str, schema: dict[str, Any]) -> None:
    """Puts a description to every field of a type that has none, and its values to a field with few."""
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
