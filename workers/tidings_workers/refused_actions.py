"""The use of an action that is refused, in words: for a route and for a frame."""

from tidings.protocol.times import timestamp
from tidings_workers.store import ActionUsed, NotInInbox, UnknownAction


def refusal(
    error: NotInInbox | UnknownAction | ActionUsed, notification: str, action: str
) -> tuple[str, str]:
    """The code and the detail of an error of `Acting.act`."""
    match error:
        case UnknownAction(known=known):
            has = ", ".join(map(repr, known)) if known else "none"
            detail = f"The notification has no action {action[:64]!r}. Use the id of one that it has: {has}."
            return "unknown_action", detail
        case ActionUsed(action=used, at=at):
            detail = (
                f"The user used {used!r} at {timestamp(at)}, and a user uses one action of a notification."
            )
            return "action_used", detail
    return "not_found", f"The inbox has no notification {notification[:64]!r}."
