"""Access tokens: JWTs by the rules of RFC 8725, signed with tenants' keys and checked against the registry.

PyJWT does the cryptography. This module has the policy: issuer and `kid` choose the key, and the key
determines the algorithm. Only the issuer is decoded before the signature is verified. Every claim is
required and typed. A token has only those of its scopes that its key allows.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.algorithms import Algorithm, get_default_algorithms
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.names import ID_RULE, TENANT_RULE, is_id, is_tenant
from tidings_workers.claims import (
    AUDIENCE,
    Claims,
    Header,
    Issuer,
    TokenError,
    bytes_of,
    check_claims,
    check_header,
    decode_part,
    expired,
    malformed,
)
from tidings_workers.public_keys import PublicKey, load_public_key
from tidings_workers.registry import INBOX_SCOPE, Key, RegistryView

__all__ = ["Identity", "TokenError", "Verifier", "bearer_token", "make_token", "make_user_token"]

USER_TOKEN_MARK: Final = "~"  # noqa: S105  a suffix of kid, no secret
# Verified tokens that a Verifier remembers.
CACHED_TOKENS: Final = 20_000

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+").fullmatch
# A key is `<tenant>.<kid>.<secret>`. Its kid is too short to be the claims of a token.
_KEY: Final = re.compile(r"[a-z0-9-]{1,40}\.k[0-9]{1,9}\.[A-Za-z0-9_-]+").fullmatch
_ALGORITHMS: Final = get_default_algorithms()


IS_A_KEY: Final = (
    "This is a key, not a token: get a token for it by POST /v1/oauth/token, or sign one with its secret."
)


class Identity(Struct, frozen=True, kw_only=True):
    """The subject and the scopes of a verified token. Times are Unix seconds.

    It is valid while ``view.key(tenant, kid)`` is not None and until `expires_at` plus
    `limits.TOKEN_LEEWAY_SECONDS`. `topics` and `publish` are the claims of these names (see
    `topic_patterns`); None when the token has none. A guest has no token and no `kid`: see `gateway.guests`.
    """

    tenant: str
    subject: str
    scopes: frozenset[str]
    kid: str
    issued_at: float
    expires_at: float
    topics: tuple[str, ...] | None = None
    publish: tuple[str, ...] | None = None
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A key that may have signed a token, ready for PyJWT."""

    kid: str
    alg: str
    algorithm: Algorithm
    material: Any
    scopes: frozenset[str]

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the key has made the signature of a text."""
        if self.alg == "HS256":
            # The same as PyJWT does, in one call of OpenSSL.
            return hmac.compare_digest(hmac.digest(self.material, text, "sha256"), signature)
        return self.algorithm.verify(text, self.material, signature)


def bearer_token(authorization: Sequence[str]) -> str:
    """The token of a request's `Authorization` headers. Raises TokenError unless it is one Bearer token."""
    if not authorization:
        raise TokenError("missing_token", "Send the header Authorization: Bearer <token>.")
    if len(authorization) > 1:
        raise TokenError("invalid_token", "Send one Authorization header, not several.")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() == "basic":
        raise TokenError(
            "invalid_token",
            "The Authorization header must be: Bearer <token>. A key as Basic <tenant>.<kid>:<secret> gets "
            "a token from POST /v1/oauth/token.",
        )
    if scheme.lower() != "bearer" or not token.strip(" "):
        raise TokenError("invalid_token", "The Authorization header must be: Bearer <token>.")
    return token.strip(" ")


class Verifier:
    """Verifies tokens against the view. It caches a verified token until it expires or the view changes."""

    def __init__(self, view: RegistryView) -> None:
        self._view = view
        self._verified: OrderedDict[bytes, Identity] = OrderedDict()
        self._candidates: dict[tuple[str, str], _Candidate] = {}
        view.on_change(self._forget)

    def verify(self, token: str, now: float) -> Identity:
        """The identity of a token at `now` (Unix seconds). Raises TokenError."""
        if len(token) > limits.TOKEN_BYTES:
            raise TokenError("invalid_token", f"The token is longer than {limits.TOKEN_BYTES} bytes.")
        try:
            digest = hashlib.sha256(token.encode("ascii")).digest()
        except UnicodeEncodeError:
            raise malformed() from None
        identity = self._verified.get(digest)
        if identity is None:
            identity = self._check(token, now)
            self._verified[digest] = identity
            if len(self._verified) > CACHED_TOKENS:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(digest)
            if identity.expires_at + limits.TOKEN_LEEWAY_SECONDS <= now:
                del self._verified[digest]
                raise expired()
        return identity

    def _forget(self) -> None:
        self._verified.clear()
        self._candidates.clear()

    def _check(self, token: str, now: float) -> Identity:
        if not _BASE64URL(token):
            raise malformed()
        if _KEY(token):
            raise TokenError("invalid_token", IS_A_KEY)
        header_part, claims_part, signature_part = token.split(".")
        header = decode_part(bytes_of(header_part), Header, "header")
        check_header(header)
        claims_text = bytes_of(claims_part)
        candidate = self._candidate(decode_part(claims_text, Issuer, "claims").iss, header.kid)
        if header.alg != candidate.alg:
            raise TokenError("invalid_token", f"The key {header.kid!r} signs with {candidate.alg} only.")
        try:
            signed = f"{header_part}.{claims_part}".encode("ascii")
            valid = candidate.signed(signed, bytes_of(signature_part))
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError("invalid_token", "The token's signature does not match its key.") from error
        if not valid:
            raise TokenError("invalid_token", "The token's signature does not match its key.")
        claims = decode_part(claims_text, Claims, "claims")
        times = check_claims(claims, now)
        return Identity(
            tenant=claims.iss,
            subject=claims.sub,
            scopes=candidate.scopes.intersection(claims.scope.split(" ")),
            kid=candidate.kid,
            issued_at=times.iat,
            expires_at=times.exp,
            topics=claims.topics,
            publish=claims.publish,
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


Patterns = Mapping[str, Sequence[str] | None]
"""The claims `topics` and `publish` of a token; None, as absence, leaves one out."""


def make_token(
    key: Key,
    tenant: str,
    subject: str,
    scopes: frozenset[str],
    expires_in: int,
    now: float,
    patterns: Patterns | None = None,
) -> str:
    """A token signed with the tenant's own HS256 key. `expires_in` is in seconds, at most 86,400.

    Raises ValueError when `expires_in` or the subject is invalid, or the key has no secret.
    """
    if key.secret is None:
        raise ValueError(f"key {key.kid!r} is a public key: sign with its private half")
    return _sign(_claims(tenant, subject, scopes, expires_in, now, patterns), key.secret, key.kid)


def make_user_token(
    key: Key,
    tenant: str,
    user: str,
    expires_in: int,
    now: float,
    patterns: Patterns | None = None,
) -> str:
    """A token with the scope `inbox` for `user`. The server signs it with a secret of the key.

    It works with keys of every algorithm and with any scopes, and is void when the key is revoked.
    """
    claims = _claims(tenant, user, frozenset({INBOX_SCOPE}), expires_in, now, patterns)
    return _sign(claims, key.token_secret, key.kid + USER_TOKEN_MARK)


def _claims(
    tenant: str,
    subject: str,
    scopes: frozenset[str],
    expires_in: int,
    now: float,
    patterns: Patterns | None,
) -> dict[str, Any]:
    if not 1 <= expires_in <= limits.TOKEN_SECONDS:
        raise ValueError(f"expires_in is 1 to {limits.TOKEN_SECONDS} seconds, not {expires_in}")
    if not is_id(subject):
        raise ValueError(f"the subject is {ID_RULE}, not {subject!r}")
    issued_at = int(now)
    return {
        "iss": tenant,
        "sub": subject,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + expires_in,
        "scope": " ".join(sorted(scopes)),
        **{name: list(some) for name, some in (patterns or {}).items() if some is not None},
    }


def _sign(claims: dict[str, Any], secret: str, kid: str) -> str:
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
    # Prepared once: checking the kind of a key takes longer than the signature of an HS256 token.
    return _Candidate(key.kid, alg, _ALGORITHMS[alg], _ALGORITHMS[alg].prepare_key(material), scopes)
