"""TLS to brokers: the context of a client, its files, and the faults of a handshake with their cure."""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tidings_workers.bridge.configuration import AnySink, AnySource, KafkaSink, KafkaSource

_SCHEMES: Final = ("amqps", "stomps")
# OpenSSL's codes of a chain that ends at no trusted certificate, or has a wrong signature.
_UNTRUSTED: Final = frozenset((2, 7, 18, 19, 20, 21))
_EXPIRED: Final = 10
# Those of a certificate for another host, address or user.
_OTHER_NAME: Final = frozenset((62, 63, 64))


class InvalidTls(Exception):
    """A file of a table can't be used. `key` names it in the table; the text has the cure."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


def is_secure(table: AnySource | AnySink) -> bool:
    """Whether the connections of a source or sink use TLS."""
    if isinstance(table, (KafkaSource, KafkaSink)):
        return table.tls
    return urlsplit(table.url).scheme in _SCHEMES


def context_of(table: AnySource | AnySink) -> ssl.SSLContext | None:
    """The context of a client; None without TLS. It reads the files. Raises InvalidTls."""
    for key in ("ca", "certificate", "key"):
        path = getattr(table, key)
        if path is None:
            continue
        if not is_secure(table):
            how = "tls = true" if isinstance(table, (KafkaSource, KafkaSink)) else "amqps:// or stomps://"
            raise InvalidTls(key, f"{key} is for TLS alone: write {how}, or remove {key}")
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise InvalidTls(key, f"{key} {path} can't be read ({error.strerror}): name a file") from None
    if not is_secure(table):
        return None
    if table.key is not None and table.certificate is None:
        raise InvalidTls("key", "key belongs to a certificate: give both, or remove key")
    try:
        context = ssl.create_default_context(cafile=table.ca)
    except ssl.SSLError:
        raise InvalidTls("ca", f"ca {table.ca} has no certificate: name a file of PEM") from None
    if table.certificate is not None:
        try:
            # An empty password: without one, OpenSSL asks the terminal for that of an encrypted key.
            context.load_cert_chain(table.certificate, table.key, password="")
        except (ssl.SSLError, ValueError):
            raise InvalidTls(
                "certificate",
                f"certificate {table.certificate} has no certificate with its key: name files of PEM, a key "
                "without a password",
            ) from None
    return context


def fault_of(error: BaseException) -> str | None:
    """The fault of a handshake and its cure, without a subject; None when it is another fault.

    Libraries put errors of their own around that of the handshake.
    """
    found = _of_handshake(error)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        reason = found.verify_message
        if found.verify_code in _UNTRUSTED:
            return f"has a certificate of an authority that is not trusted ({reason}): name its CA in ca"
        if found.verify_code == _EXPIRED:
            return f"has a certificate that is not valid any more ({reason}): renew it"
        if found.verify_code in _OTHER_NAME:
            return f"has a certificate of another host ({reason}): use a name that is in the certificate"
        return f"has a certificate that is not valid ({reason}): correct it, or ca"
    reason = (found.reason or str(found)).replace("_", " ").lower()
    if "alert" in reason and "version" not in reason:
        return f"refuses the TLS handshake ({reason}): give a client certificate in certificate and key"
    return f"has no TLS that fits ({reason}): name its port for TLS, or use none"


def _of_handshake(error: BaseException) -> ssl.SSLError | None:
    found: BaseException | None = error
    # A library may raise an error from itself.
    seen: list[BaseException] = []
    while found is not None and found not in seen:
        if isinstance(found, ssl.SSLError):
            return found
        seen.append(found)
        found = found.__cause__ or found.__context__
    return None
