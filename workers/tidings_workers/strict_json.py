"""Strict decoding of JSON from clients, with every fault as a JSON pointer and a sentence."""

from typing import Final, Generic, TypeVar

import msgspec

from tidings.protocol import limits
from tidings.protocol.faults import faults_of
from tidings_workers import json_text
from tidings_workers.malformed import reason
from tidings_workers.refused import Refused

T = TypeVar("T")

INVALID: Final = "The body is not valid: see errors."


class BodyDecoder(Generic[T]):
    """Decodes one type of body. Types are strict: a string with digits is not a number.

    With `undecoded_parts` it checks neither nesting nor UTF-8: the decoder of the parts does.
    """

    def __init__(self, type_: type[T], *, undecoded_parts: bool = False) -> None:
        self._type = type_
        self._decode = msgspec.json.Decoder(type_).decode
        self._checks_text = not undecoded_parts

    def decode(self, body: bytes | msgspec.Raw, base: str = "#") -> T:
        """The value. `base` is the JSON pointer of `body` in a larger body.

        Raises Refused: `malformed_json`, or `invalid_request` with all faults.
        """
        try:
            value = self._decode(body)
        except msgspec.ValidationError as error:
            # msgspec raises this at the first fault, before it has parsed the rest.
            check_well_formed(body)
            raise Refused("invalid_request", INVALID, faults_of(body, self._type, error, base)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _malformed(bytes(body), error) from None
        except RecursionError:
            raise _too_deep() from None
        if self._checks_text:
            text = bytes(body)
            if not json_text.is_utf8(text):
                check_well_formed(text)
            if json_text.nests_deeper(text, limits.NESTING):
                raise _too_deep()
        return value


def check_well_formed(body: bytes | msgspec.Raw) -> None:
    """Raise Refused (`malformed_json`) unless the text is well-formed JSON. Its values are not decoded."""
    text = bytes(body)
    try:
        json_text.check_form(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(text, error) from None
    except RecursionError:
        raise _too_deep() from None


def check_value(text: bytes) -> None:
    """Raise Refused (`malformed_json`) unless the text is well-formed and nests no deeper than allowed."""
    check_well_formed(text)
    if json_text.nests_deeper(text, limits.NESTING):
        raise _too_deep()


def _malformed(text: bytes, error: Exception) -> Refused:
    return Refused("malformed_json", f"The body is not JSON: {reason(text, error)}.")


def _too_deep() -> Refused:
    return Refused("malformed_json", f"The body nests deeper than {limits.NESTING} levels.")
