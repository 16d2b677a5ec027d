"""The rules of a mark that its type cannot express: which fields may be combined."""

from tidings.protocol.errors import FieldError, pointer_step
from tidings.protocol.frames import Mark
from tidings.protocol.names import LOG_RULE, is_log
from tidings.protocol.rest import MarkInbox


def faults(mark: MarkInbox | Mark) -> tuple[FieldError, ...]:
    """The faults of a mark whose fields have the right types; empty for a valid mark."""
    found = []
    if sum(way is not None for way in (mark.ids, mark.up_to, mark.all)) != 1:
        found.append(FieldError("#", "Give exactly one of ids, up_to and all: true."))
    if mark.category is not None and mark.all is None:
        found.append(FieldError("#/category", "A category narrows all: true, and nothing else."))
    found.extend(
        FieldError(f"#/up_to/{pointer_step(log)}", f"A log is {LOG_RULE}.")
        for log in mark.up_to or ()
        if not is_log(log)
    )
    return tuple(found)
