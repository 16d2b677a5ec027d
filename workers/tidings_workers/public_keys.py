"""Public keys: the rules for a key that a tenant registers, and loading a stored key for PyJWT."""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

PUBLIC_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
RSA_BITS: Final = 2048


class InvalidPublicKey(ValueError):
    """The key can't be registered. The text names the fault and the cure."""


def load_public_key(pem: str) -> PublicKey:
    """The key of a PEM text from `normalise_public_key`."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, PublicKey):
        raise InvalidPublicKey(
            f"a key of type {type(key).__name__} is not one of {', '.join(PUBLIC_ALGORITHMS)}"
        )
    return key


def normalise_public_key(pem: str, alg: str) -> str:
    """The key as one SubjectPublicKeyInfo PEM block. Raises InvalidPublicKey.

    Refused: private keys, anything that is not a PEM public key, RSA below 2,048 bits, an elliptic
    curve other than P-256, and a key whose type is not that of `alg`.
    """
    if alg not in PUBLIC_ALGORITHMS:
        raise InvalidPublicKey(f"alg must be one of {', '.join(PUBLIC_ALGORITHMS)}, not {alg!r}")
    if "PRIVATE KEY" in pem:
        raise InvalidPublicKey(
            "this is a private key: register its public half, and keep the private one where you sign tokens "
            "(openssl pkey -in FILE -pubout)"
        )
    try:
        key = load_public_key(pem)
    except InvalidPublicKey:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKey("this is not a PEM public key (-----BEGIN PUBLIC KEY-----)") from error
    _check_fits(key, alg)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _check_fits(key: PublicKey, alg: str) -> None:
    if isinstance(key, RSAPublicKey):
        fits = "RS256"
        if key.key_size < RSA_BITS:
            raise InvalidPublicKey(f"an RSA key needs at least {RSA_BITS} bits, this one has {key.key_size}")
    elif isinstance(key, EllipticCurvePublicKey):
        fits = "ES256"
        if not isinstance(key.curve, SECP256R1):
            raise InvalidPublicKey(f"ES256 needs the curve P-256, this key has {key.curve.name}")
    else:
        fits = "EdDSA"
    if fits != alg:
        raise InvalidPublicKey(f"this key is for {fits}, not for {alg}")
