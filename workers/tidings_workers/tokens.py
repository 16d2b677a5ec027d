"""Access tokens: JWTs by the list of RFC 8725, made by tenants' keys and checked against the registry.

PyJWT does the cryptography. The policy is here: the key is chosen by issuer and `kid` and brings its
own algorithm, every claim is required and typed before it is used, and scopes shrink to the key's.
"""

import hashlib
import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import jwt
import jwt.utils
import msgspec
from jwt.algorithms import Algorithm, get_default_algorithms
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.names import ID_RULE, TENANT_RULE, is_id, is_tenant
from tidings_workers.public_keys import PublicKey, load_public_key
from tidings_workers.registry import INBOX_SCOPE, Key, RegistryView

AUDIENCE: Final = "tidings"
USER_TOKEN_MARK: Final = "~"  # noqa: S105  a suffix of kid, no secret
VERDICTS: Final = 20_000

TokenErrorCode = Literal["missing_token", "invalid_token", "expired_token"]

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+").fullmatch
_SCOPE_WORDS: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*").fullmatch
_ALGORITHMS: Final = get_default_algorithms()


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


class Identity(Struct, frozen=True, kw_only=True):
    """Who a token speaks for, and what it may do. Times are seconds since the epoch.

    It stands as long as ``view.key(tenant, kid)`` is not None and `expires_at` (plus the leeway of
    `limits.TOKEN_LEEWAY_SECONDS`) has not passed.
    """

    tenant: str
    subject: str
    scopes: frozenset[str]
    kid: str
    issued_at: float
    expires_at: float


class _Header(Struct):
    alg: str
    kid: str
    typ: str
    # A key, or the way to one, may not travel in the token; and no extension is understood.
    crit: msgspec.Raw | None = None
    jku: msgspec.Raw | None = None
    jwk: msgspec.Raw | None = None
    x5u: msgspec.Raw | None = None
    x5c: msgspec.Raw | None = None


class _Claims(Struct):
    iss: str
    sub: str
    aud: str | list[str]
    iat: float
    exp: float
    scope: str
    nbf: float | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A key that may have signed a token, ready for PyJWT."""

    kid: str
    alg: str
    algorithm: Algorithm
    material: Any
    scopes: frozenset[str]


class Verifier:
    """Checks tokens against the view; a good verdict is kept until its token or the registry ends it."""

    def __init__(self, view: RegistryView) -> None:
        self._view = view
        self._verdicts: OrderedDict[bytes, Identity] = OrderedDict()
        self._candidates: dict[tuple[str, str], _Candidate] = {}
        view.on_change(self._forget)

    def verify(self, token: str, now: float) -> Identity:
        """The identity of a token at `now` (seconds since the epoch), or TokenError."""
        if len(token) > limits.TOKEN_BYTES:
            raise TokenError("invalid_token", f"The token is longer than {limits.TOKEN_BYTES} bytes.")
        try:
            digest = hashlib.sha256(token.encode("ascii")).digest()
        except UnicodeEncodeError:
            raise _malformed() from None
        identity = self._verdicts.get(digest)
        if identity is None:
            identity = self._check(token, now)
            self._verdicts[digest] = identity
            if len(self._verdicts) > VERDICTS:
                self._verdicts.popitem(last=False)
        else:
            self._verdicts.move_to_end(digest)
            if identity.expires_at + limits.TOKEN_LEEWAY_SECONDS <= now:
                del self._verdicts[digest]
                raise _expired()
        return identity

    def _forget(self) -> None:
        self._verdicts.clear()
        self._candidates.clear()

    def _check(self, token: str, now: float) -> Identity:
        if not _BASE64URL(token):
            raise _malformed()
        header_part, claims_part, signature_part = token.split(".")
        header = _decode_part(header_part, _Header, "header")
        if header.typ.upper() != "JWT":
            raise TokenError("invalid_token", "The token's header must say typ JWT.")
        if any(each is not None for each in (header.crit, header.jku, header.jwk, header.x5u, header.x5c)):
            raise TokenError(
                "invalid_token",
                "The token's header may not carry crit, jku, jwk, x5u or x5c: name the key by kid.",
            )
        claims = _decode_part(claims_part, _Claims, "claims")
        candidate = self._candidate(claims.iss, header.kid)
        if header.alg != candidate.alg:
            raise TokenError("invalid_token", f"The key {header.kid!r} signs with {candidate.alg} only.")
        try:
            signature = jwt.utils.base64url_decode(signature_part)
            signed = f"{header_part}.{claims_part}".encode("ascii")
            fits = candidate.algorithm.verify(signed, candidate.material, signature)
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError("invalid_token", "The token's signature does not fit its key.") from error
        if not fits:
            raise TokenError("invalid_token", "The token's signature does not fit its key.")
        _check_claims(claims, now)
        return Identity(
            tenant=claims.iss,
            subject=claims.sub,
            scopes=candidate.scopes.intersection(claims.scope.split(" ")),
            kid=candidate.kid,
            issued_at=claims.iat,
            expires_at=claims.exp,
        )

    def _candidate(self, tenant: str, kid: str) -> _Candidate:
        if not is_tenant(tenant):
            raise TokenError("invalid_token", f"The claim iss must be a tenant's id: {TENANT_RULE}.")
        found = self._candidates.get((tenant, kid))
        if found is None:
            key = self._view.key(tenant, kid.removesuffix(USER_TOKEN_MARK))
            if key is None:
                raise TokenError(
                    "invalid_token",
                    "The token names a key (iss and kid) that does not exist or was revoked.",
                    unknown_key=True,
                )
            found = self._candidates[tenant, kid] = _candidate_of(
                key, by_server=kid.endswith(USER_TOKEN_MARK)
            )
        return found


def make_token(
    key: Key, tenant: str, subject: str, scopes: frozenset[str], expires_in: int, now: float
) -> str:
    """A token signed with the tenant's own HS256 key; `expires_in` seconds, 86,400 at most.

    ValueError when the key is not one that the server can sign with.
    """
    if key.secret is None:
        raise ValueError(f"key {key.kid!r} is a public one: its owner signs with the private half")
    return _sign(key.secret, key.kid, tenant, subject, scopes, expires_in, now)


def make_user_token(key: Key, tenant: str, user: str, expires_in: int, now: float) -> str:
    """A token that connects as `user` and does nothing else, made by the server on the key's authority.

    It works with keys of every algorithm and whatever their scopes, and ends when the key is revoked.
    """
    kid = key.kid + USER_TOKEN_MARK
    return _sign(key.token_secret, kid, tenant, user, frozenset({INBOX_SCOPE}), expires_in, now)


def _sign(
    secret: str, kid: str, tenant: str, subject: str, scopes: frozenset[str], expires_in: int, now: float
) -> str:
    if not 1 <= expires_in <= limits.TOKEN_SECONDS:
        raise ValueError(f"expires_in is 1 to {limits.TOKEN_SECONDS} seconds, not {expires_in}")
    if not is_id(subject):
        raise ValueError(f"the subject is {ID_RULE}, not {subject!r}")
    issued_at = int(now)
    claims: dict[str, Any] = {
        "iss": tenant,
        "sub": subject,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + expires_in,
        "scope": " ".join(sorted(scopes)),
    }
    return jwt.encode(claims, secret.encode("ascii"), algorithm="HS256", headers={"kid": kid})


def _candidate_of(key: Key, *, by_server: bool) -> _Candidate:
    material: bytes | PublicKey
    alg, scopes = key.alg, frozenset(key.scopes)
    if by_server:
        alg, scopes, material = "HS256", frozenset({INBOX_SCOPE}), key.token_secret.encode("ascii")
    elif key.secret is not None:
        material = key.secret.encode("ascii")
    else:
        material = load_public_key(key.public_key or "")
    # Prepared once: looking at what kind of key it is costs more than the signature of an HS256 token.
    return _Candidate(key.kid, alg, _ALGORITHMS[alg], _ALGORITHMS[alg].prepare_key(material), scopes)


def _decode_part(part: str, type_: type[_Part], name: str) -> _Part:
    try:
        return msgspec.json.decode(jwt.utils.base64url_decode(part), type=type_, strict=True)
    except msgspec.ValidationError as error:
        raise TokenError("invalid_token", f"The token's {name} must be complete: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise _malformed() from error


def _check_claims(claims: _Claims, now: float) -> None:
    leeway = limits.TOKEN_LEEWAY_SECONDS
    if claims.aud != AUDIENCE and not (isinstance(claims.aud, list) and AUDIENCE in claims.aud):
        raise TokenError("invalid_token", f"The claim aud must be {AUDIENCE!r}.")
    if not is_id(claims.sub):
        raise TokenError("invalid_token", f"The claim sub must be {ID_RULE}.")
    if not _SCOPE_WORDS(claims.scope):
        raise TokenError("invalid_token", "The claim scope must be words apart by single spaces.")
    if not all(math.isfinite(time) for time in (claims.iat, claims.exp, claims.nbf or 0)):
        raise TokenError("invalid_token", "The claims iat, exp and nbf must be finite numbers.")
    if claims.exp <= claims.iat or claims.exp - claims.iat > limits.TOKEN_SECONDS:
        raise TokenError(
            "invalid_token", f"The claim exp must be at most {limits.TOKEN_SECONDS} s after iat."
        )
    if claims.iat > now + leeway or (claims.nbf is not None and claims.nbf > now + leeway):
        raise TokenError("invalid_token", "The token is from the future: check the clock that made it.")
    if claims.exp + leeway <= now:
        raise _expired()


def _malformed() -> TokenError:
    return TokenError("invalid_token", "The token is not a signed JWT: three base64url parts apart by dots.")


def _expired() -> TokenError:
    return TokenError("expired_token", "The token has expired: get or make a new one.")
