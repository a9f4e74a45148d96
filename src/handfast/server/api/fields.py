"""Fields of the API that our own parsers read, each refused in their words (pydantic)."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import GetPydanticSchema, PlainSerializer, StringConstraints
from pydantic_core.core_schema import no_info_after_validator_function

from handfast.errors import HandfastError, Unacceptable
from handfast.pki.csr import CertificateRequest, parse_request
from handfast.pki.pem import one_certificate

Pem = Annotated[str, StringConstraints(min_length=1, max_length=32768)]


def _certificate(text: str) -> x509.Certificate:
    certificate: x509.Certificate = own(lambda: one_certificate(text.encode(), source="certificate"))
    return certificate


def _request(text: str) -> CertificateRequest:
    request: CertificateRequest = own(lambda: parse_request(text.encode(), source="csr"))
    return request


def each(parse: Callable[[str], object], texts: Iterable[str]) -> None:
    """Refuse a list for all of its items that cannot be read. Raises ValueError."""
    wrong = []
    for text in texts:
        try:
            own(lambda: parse(text))  # noqa: B023  # it is called here
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong)))


def own(parse: Any) -> Any:
    """What our own parsers say, as an error of the field. A weak key is told with its findings, by itself."""
    try:
        return parse()
    except Unacceptable:
        raise
    except HandfastError as error:
        raise ValueError(f"{error.message.splitlines()[0]}; {error.hint}") from None


# Possession is proven while it is read: what is left of it is the key, and what it wishes for.
Csr = Annotated[
    CertificateRequest,
    GetPydanticSchema(lambda _, handler: no_info_after_validator_function(_request, handler.generate_schema(Pem))),
    PlainSerializer(lambda csr: csr.der.hex()),
]
Certificate = Annotated[
    x509.Certificate,
    GetPydanticSchema(lambda _, handler: no_info_after_validator_function(_certificate, handler.generate_schema(Pem))),
    PlainSerializer(lambda certificate: certificate.public_bytes(Encoding.DER).hex()),
]
