"""What a token's header and claims must say, before and after its signature is verified.

Both are the text of whoever sent the token: they are decoded with a cost that their length bounds.
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

AUDIENCE: Final = "tidings"

TokenErrorCode = Literal["missing_token", "invalid_token", "expired_token"]

_SCOPE_WORDS: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*").fullmatch

_number: Final = msgspec.json.Decoder(float).decode

_Part = TypeVar("_Part")


class TokenError(Exception):
    """Why a token does not count. `code` is one of the 401 codes, `detail` a sentence for the caller.

    `unknown_key` says that the key may just be newer than the view: refresh it and try once more.
    """

    def __init__(self, code: TokenErrorCode, detail: str, *, unknown_key: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.unknown_key = unknown_key


# `Raw | None` would take null alone.
_ABSENT: Final = msgspec.Raw()


class Header(Struct):
    """What is read of a header; the decoder passes over what is not named here."""

    alg: str
    kid: str
    typ: str = "JWT"
    # A key, or the way to one, may not travel in the token; and what would change the meaning of its
    # claims (an extension, compression, encryption, an inner token) is not understood.
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
    """The one claim that is needed to find the key: the decoder passes over all others."""

    iss: str


class Claims(Struct):
    """What is read of the claims. Times are decoded once each, however often the text has them."""

    iss: str
    sub: str
    aud: str | list[str]
    iat: msgspec.Raw
    exp: msgspec.Raw
    scope: str
    nbf: msgspec.Raw = _ABSENT


class Times(Struct, frozen=True):
    """When a token was made, ends and begins to count: seconds since the epoch, finite."""

    iat: float
    exp: float
    nbf: float


def bytes_of(part: str) -> bytes:
    """The bytes of a part of a token; TokenError when it is not base64url."""
    try:
        return jwt.utils.base64url_decode(part)
    except ValueError as error:
        raise malformed() from error


def decode_part(text: bytes, type_: type[_Part], name: str) -> _Part:
    """One part's JSON; TokenError says what is wrong with it. `name` is `header` or `claims`."""
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
    """TokenError for a header that says more than the algorithm and the key."""
    if header.typ.upper() != "JWT":
        raise TokenError("invalid_token", "The header typ of a token is JWT, or left out.")
    for name in _REFUSED_HEADERS:
        if len(getattr(header, name)):
            raise TokenError(
                "invalid_token",
                f"The token's header may not carry {name}: name the key by kid, and sign plain claims.",
            )


def check_claims(claims: Claims, now: float) -> Times:
    """The times of claims that hold at `now` (seconds since the epoch); TokenError when they do not."""
    leeway = limits.TOKEN_LEEWAY_SECONDS
    if claims.aud != AUDIENCE and not (isinstance(claims.aud, list) and AUDIENCE in claims.aud):
        raise TokenError("invalid_token", f"The claim aud must be {AUDIENCE!r}.")
    if not is_id(claims.sub):
        raise TokenError("invalid_token", f"The claim sub must be {ID_RULE}.")
    if not _SCOPE_WORDS(claims.scope):
        raise TokenError("invalid_token", "The claim scope must be words apart by single spaces.")
    times = Times(_time(claims.iat), _time(claims.exp), _time(claims.nbf if len(claims.nbf) else claims.iat))
    if times.exp <= times.iat:
        raise TokenError("invalid_token", "The claim exp must be later than iat.")
    if times.exp - times.iat > limits.TOKEN_SECONDS:
        raise TokenError(
            "invalid_token", f"The claim exp must be at most {limits.TOKEN_SECONDS} s after iat."
        )
    if max(times.iat, times.nbf) > now + leeway:
        raise TokenError("invalid_token", "The token is from the future: check the clock that made it.")
    if times.exp + leeway <= now:
        raise expired()
    return times


def _time(text: msgspec.Raw) -> float:
    """A claim that is a finite number of seconds."""
    try:
        # Infinity and NaN are no JSON, and a number beyond a double is an error of the decoder.
        return _number(text)
    except msgspec.DecodeError as error:
        raise TokenError(
            "invalid_token", "The claims iat, exp and nbf must be finite numbers of seconds."
        ) from error


def malformed() -> TokenError:
    """What is no token at all."""
    return TokenError("invalid_token", "The token is not a signed JWT: three base64url parts apart by dots.")


def expired() -> TokenError:
    """A token whose time is over."""
    return TokenError("expired_token", "The token has expired: get or make a new one.")
