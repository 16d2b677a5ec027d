"""The client credentials grant (RFC 6749, section 4.4): reads the client and its scopes from a request."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from tidings.protocol import limits
from tidings.protocol.names import is_tenant
from tidings.protocol.rest import GrantErrorCode
from tidings_workers.registry import INBOX_SCOPE, Key

FORM: Final = b"application/x-www-form-urlencoded"
FORM_BYTES: Final = 8 * 1024
TOKEN_SECONDS: Final = 3600
_FIELDS: Final = 20
_SHOWN: Final = 100
_CLIENT: Final = re.compile(r"(?P<tenant>[a-z0-9-]{1,40})\.(?P<kid>[A-Za-z0-9_-]{1,64})").fullmatch
_NOT_ASCII: Final = "The form must be ASCII, with other characters percent-encoded as UTF-8."
_WRONG: Final = (
    "There is no such key, or its secret is different: client_id is <tenant>.<kid>, client_secret the part "
    "of the key after that and a dot."
)


class Refused(Exception):
    """A grant is refused. `code` is one of RFC 6749, section 5.2; `detail` is a text for the caller."""

    def __init__(self, code: GrantErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code: GrantErrorCode = code
        self.detail = detail


class Client(NamedTuple):
    """The client that requests a token: the three parts of its key."""

    tenant: str
    kid: str
    secret: str


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form that have a value. Raises Refused for no form, or for a field given twice."""
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise Refused("invalid_request", _NOT_ASCII) from None
    except ValueError:
        raise Refused(
            "invalid_request", f"The form has more than {_FIELDS} fields: leave some out."
        ) from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refused("invalid_request", "A field of the form is given more than once: send each once.")
    return fields


def client_of(authorization: Sequence[str], form: Mapping[str, str]) -> Client:
    """The client, from its Basic header or from client_id and client_secret of the form. Raises Refused."""
    if len(authorization) > 1:
        raise Refused("invalid_request", "Send one Authorization header, not several.")
    if not authorization:
        return _client(form.get("client_id", ""), form.get("client_secret", ""))
    if "client_secret" in form:
        raise Refused("invalid_request", "Send the secret by Authorization or in the form, not by both.")
    scheme, _, credentials = authorization[0].partition(" ")
    if scheme.lower() != "basic":
        raise Refused("invalid_client", "The Authorization header must be: Basic <tenant>.<kid>:<secret>.")
    if len(credentials) > limits.TOKEN_BYTES:
        raise Refused(
            "invalid_client", f"The Authorization header is longer than {limits.TOKEN_BYTES:,} bytes."
        )
    name, secret = _basic(credentials.strip(" "))
    if form.get("client_id", name) != name:
        raise Refused("invalid_request", "client_id and the Authorization header name two clients: name one.")
    return _client(name, secret)


def check_secret(key: Key | None, secret: str) -> Key:
    """The key, when `secret` is the key's secret. Raises Refused otherwise."""
    if key is not None and key.secret is None:
        raise Refused(
            "invalid_client",
            f"The key {key.kid} is a public key and has no secret: sign a token with its private half.",
        )
    own = "" if key is None or key.secret is None else key.secret
    if not hmac.compare_digest(own.encode(), secret.encode()) or key is None or not own:
        raise Refused("invalid_client", _WRONG)
    return key


def scopes_of(key: Key, form: Mapping[str, str]) -> frozenset[str]:
    """The scopes to grant: those of the form, else all of the key; never `inbox`. Raises Refused."""
    if form.get("grant_type") is None:
        raise Refused("invalid_request", "grant_type is missing: send grant_type=client_credentials.")
    if form["grant_type"] != "client_credentials":
        raise Refused(
            "unsupported_grant_type", "This grant_type is not supported: send grant_type=client_credentials."
        )
    possible = frozenset(key.scopes) - {INBOX_SCOPE}
    asked = form.get("scope", "").split()
    if INBOX_SCOPE in asked or not possible:
        raise Refused(
            "invalid_scope",
            f"The scope {INBOX_SCOPE} is for users: get a token for a user by POST /v1/tokens.",
        )
    if lacking := sorted(set(asked) - possible):
        raise Refused(
            "invalid_scope",
            f"The key {key.kid} does not allow {' '.join(lacking)[:_SHOWN]}: "
            f"it allows {' '.join(sorted(possible))}.",
        )
    return frozenset(asked) or possible


def _basic(credentials: str) -> tuple[str, str]:
    """Name and secret of Basic credentials, each percent-encoded (RFC 6749, section 2.3.1)."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode("ascii")
        name, colon, secret = decoded.partition(":")
        if colon:
            return unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeError):
        pass
    raise Refused(
        "invalid_client",
        "The credentials of the Authorization header must be base64 of <tenant>.<kid>:<secret>.",
    )


def _client(name: str, secret: str) -> Client:
    if not name or not secret:
        raise Refused(
            "invalid_client",
            "Send the key: as Basic <tenant>.<kid>:<secret>, or as client_id=<tenant>.<kid> and "
            "client_secret=<secret> in the form.",
        )
    found = _CLIENT(name)
    if found is None or not is_tenant(found["tenant"]):
        raise Refused(
            "invalid_client", "The client_id must be <tenant>.<kid>, the first two parts of the key."
        )
    return Client(found["tenant"], found["kid"], secret)
