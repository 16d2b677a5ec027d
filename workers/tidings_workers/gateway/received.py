"""The frames that a client sends, decoded, and the words for a fault in one.

The cost of a frame is bounded by its length: of an unknown frame only its type and, once the session is open,
a short `ref` are decoded.
"""

from typing import Final, get_args

import msgspec
from msgspec import Struct

from tidings.protocol.errors import FieldError
from tidings.protocol.frames import (
    CLIENT_FRAMES,
    Ack,
    Act,
    Connect,
    Mark,
    Ping,
    Ref,
    Refresh,
    State,
    Subscribe,
    Unsubscribe,
)
from tidings.protocol.pointers import field_error, one_of
from tidings_workers.gateway.actions import PostedMessage, PostedPublish, PostNotification

NOT_A_FRAME: Final = "a frame must be one JSON object, and not nested too deeply"
# The errors of a decoder for invalid JSON, and for JSON of another form.
FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# The decoder's errors do not name the values that a field accepts.
_CHOICES: Final = {"#/state": one_of(get_args(State)), "#/all": one_of(["true"])}


class Envelope(Struct):
    """The fields of every frame; the decoder skips the others."""

    type: str
    ref: msgspec.Raw = msgspec.Raw(b"null")

    def usable_ref(self) -> Ref | None:
        """The `ref` for an answer; None when the protocol does not allow it."""
        if len(self.ref) > _REF_BYTES:
            return None
        try:
            ref: Ref | None = _decode_ref(self.ref)
        except FAULTS:
            return None
        return ref


KNOWN: Final = frozenset(frame.__struct_config__.tag for frame in CLIENT_FRAMES)
# 128 characters, each escaped as a surrogate pair.
_REF_BYTES: Final = 128 * 12 + 2

ReceivedFrame = (
    Connect
    | Ack
    | Mark
    | Act
    | Refresh
    | Ping
    | PostNotification
    | Subscribe
    | Unsubscribe
    | PostedPublish
    | PostedMessage
)
"""A `ClientFrame`, with notifications and the data of messages undecoded."""

decode: Final = msgspec.json.Decoder(ReceivedFrame).decode
decode_connect: Final = msgspec.json.Decoder(Connect).decode
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode
_decode_ref: Final = msgspec.json.Decoder(Ref | None).decode


def in_words(error: msgspec.ValidationError) -> str:
    """The fault of a frame: the field as a pointer, and the rule that it breaks."""
    fault = field_error(str(error))
    if "enum value" in fault.detail:
        fault = FieldError(fault.pointer, _CHOICES.get(fault.pointer, fault.detail))
    return fault.detail if fault.pointer == "#" else f"{fault.pointer}: {fault.detail}"
