"""The checks of a token's header and claims, before and after its signature is verified.

The sender of a token chooses both texts, so the cost of decoding them is limited by their length.
"""

import re
from typing import Final, Literal, TypeVar

import jwt
import jwt.utils
import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.names import ID_RULE, is_id
from tidings.protocol.pointers import field_error
from tidings_workers import topic_patterns

AUDIENCE: Final = "tidings"

TokenErrorCode = Literal["missing_token", "invalid_token", "expired_token"]

_SCOPE_WORDS: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*").fullmatch

_number: Final = msgspec.json.Decoder(float).decode

_Part = TypeVar("_Part")


class TokenError(Exception):
    """A token is refused. `code` is one of the 401 codes, `detail` a sentence for the caller.

    `unknown_key`: the key may be newer than the view. Refresh the view and try once more.
    """

    def __init__(self, code: TokenErrorCode, detail: str, *, unknown_key: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.unknown_key = unknown_key


# msgspec decodes only null as `Raw | None`, so a missing field is an empty Raw.
_ABSENT: Final = msgspec.Raw()


class Header(Struct):
    """The fields of a header that are read; the decoder skips all others."""

    alg: str
    kid: str
    typ: str = "JWT"
    # A token must not contain its key or the address of one. Fields that change the meaning of the claims
    # (extensions, compression, encryption, an inner token) are not supported.
    crit: msgspec.Raw = _ABSENT
    jku: msgspec.Raw = _ABSENT
    jwk: msgspec.Raw = _ABSENT
    x5u: msgspec.Raw = _ABSENT
    x5c: msgspec.Raw = _ABSENT
    b64: msgspec.Raw = _ABSENT
    zip: msgspec.Raw = _ABSENT
    enc: msgspec.Raw = _ABSENT
    cty: msgspec.Raw = _ABSENT


_REFUSED_HEADERS: Final = ("crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "cty")


class Issuer(Struct):
    """The claim that is needed to find the key; the decoder skips all others."""

    iss: str


class Claims(Struct):
    """The claims that are read. As Raw, a time is decoded once, even if the text repeats it."""

    iss: str
    sub: str
    aud: str | list[str]
    iat: msgspec.Raw
    exp: msgspec.Raw
    scope: str
    nbf: msgspec.Raw = _ABSENT
    topics: tuple[str, ...] | None = None
    publish: tuple[str, ...] | None = None


class Times(Struct, frozen=True):
    """The times when a token was issued, expires and becomes valid: finite Unix seconds."""

    iat: float
    exp: float
    nbf: float


def bytes_of(part: str) -> bytes:
    """The bytes of a part of a token. Raises TokenError when it is not base64url."""
    try:
        return jwt.utils.base64url_decode(part)
    except ValueError as error:
        raise malformed() from error


def decode_part(text: bytes, type_: type[_Part], name: str) -> _Part:
    """The decoded JSON of one part. Raises TokenError with its fault. `name` is `header` or `claims`."""
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.ValidationError as error:
        fault = field_error(str(error))
        field = fault.pointer.removeprefix("#").removeprefix("/")
        where = f"The token's {name}: {field}: " if field else f"The token's {name}: "
        raise TokenError("invalid_token", where + fault.detail) from error
    except (ValueError, RecursionError) as error:
        raise malformed() from error


def check_header(header: Header) -> None:
    """Raise TokenError for a header with more than the algorithm, the key and the type JWT."""
    if header.typ.upper() != "JWT":
        raise TokenError("invalid_token", "The token's header typ must be JWT, or absent.")
    for name in _REFUSED_HEADERS:
        if len(getattr(header, name)):
            raise TokenError(
                "invalid_token",
                f"The token's header must not have {name}: name the key by kid, and sign plain claims.",
            )


def check_claims(claims: Claims, now: float) -> Times:
    """The times of claims that are valid at `now` (Unix seconds). Raises TokenError."""
    leeway = limits.TOKEN_LEEWAY_SECONDS
    if claims.aud != AUDIENCE and not (isinstance(claims.aud, list) and AUDIENCE in claims.aud):
        raise TokenError("invalid_token", f"The claim aud must be {AUDIENCE!r}.")
    if not is_id(claims.sub):
        raise TokenError("invalid_token", f"The claim sub must be {ID_RULE}.")
    if not _SCOPE_WORDS(claims.scope):
        raise TokenError("invalid_token", "The claim scope must be words separated by single spaces.")
    for name, patterns in (("topics", claims.topics), ("publish", claims.publish)):
        fault = topic_patterns.fault(patterns or ())
        if fault is not None:
            raise TokenError("invalid_token", f"The claim {name}: {fault}.")
    times = Times(_time(claims.iat), _time(claims.exp), _time(claims.nbf if len(claims.nbf) else claims.iat))
    if times.exp <= times.iat:
        raise TokenError("invalid_token", "The claim exp must be later than iat.")
    if times.exp - times.iat > limits.TOKEN_SECONDS:
        raise TokenError(
            "invalid_token", f"The claim exp must be at most {limits.TOKEN_SECONDS} s after iat."
        )
    if max(times.iat, times.nbf) > now + leeway:
        raise TokenError(
            "invalid_token", "The token is not valid yet: check the clock of the machine that made it."
        )
    if times.exp + leeway <= now:
        raise expired()
    return times


def _time(text: msgspec.Raw) -> float:
    """A claim that is a finite number of seconds."""
    try:
        # Infinity and NaN are not JSON, and the decoder refuses a number beyond a double.
        return _number(text)
    except msgspec.DecodeError as error:
        raise TokenError(
            "invalid_token", "The claims iat, exp and nbf must be finite numbers of seconds."
        ) from error


def malformed() -> TokenError:
    """The error for a text that is not a JWT."""
    return TokenError(
        "invalid_token", "The token is not a signed JWT: it must be three base64url parts separated by dots."
    )


def expired() -> TokenError:
    """The error for a token that has expired."""
    return TokenError("expired_token", "The token has expired: get or make a new one.")
