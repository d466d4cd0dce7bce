"""Time stamps of checkpoints by an authority (RFC 3161): proof that one existed at a time.

A token is kept beside the file of its checkpoint, with the ending ``.tsr``. It is verified with the
root certificates of the authority, which the user trusts.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calib.errors import FileFormatError, InputError, StoreError
from calib.files.atomic import read_bytes

ENDING = ".tsr"
_SECONDS = 30
_LARGEST = 1 << 20


def request_timestamp(url: str, data: bytes) -> bytes:
    """The response of an authority to a request for a time stamp of these bytes.

    Raises ``InputError`` (``bad-url``) for another address than http or https, and ``StoreError``
    (``timestamp-failed``) where the authority cannot be reached or refuses.
    """
    client = _client()
    if not url.lower().startswith(("http://", "https://")):
        raise InputError(
            "bad-url",
            "the address of the time-stamp authority does not begin with http:// or https://.",
            remedy="correct the setting timestamp_url.",
        )
    request = client.TimestampRequestBuilder().data(data).cert_request(cert_request=True).build()
    call = urllib.request.Request(  # noqa: S310 - checked above
        url,
        data=request.as_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(call, timeout=_SECONDS) as answer:  # noqa: S310
            found = answer.read(_LARGEST)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _failed(url, str(reason)) from error
    try:
        response = client.decode_timestamp_response(found)
        granted = client.PKIStatus(response.status) is client.PKIStatus.GRANTED
        same = granted and response.tst_info.nonce == request.nonce
    except Exception as error:  # the decoder has errors of its own
        raise _failed(url, "its answer is no time stamp") from error
    if not same:
        raise _failed(url, "it did not grant the request")
    return bytes(found)


def timestamp_path(checkpoint: Path) -> Path:
    """The file of a checkpoint's time stamp."""
    return checkpoint.with_name(checkpoint.name + ENDING)


def read_timestamp(checkpoint: Path, roots: Path) -> datetime | None:
    """When a checkpoint existed according to its time stamp, in UTC; None where it has none.

    Raises ``FileFormatError`` (``timestamp-invalid``) for one that the root certificates do not
    verify, or that is one of another file, and ``InputError`` (``no-certificate``).
    """
    path = timestamp_path(checkpoint)
    if not path.is_file():
        return None
    client = _client()
    builder = client.VerifierBuilder()
    for certificate in _certificates(roots):
        builder = builder.add_root_certificate(certificate)
    try:
        response = client.decode_timestamp_response(read_bytes(path))
        builder.build().verify_message(response, read_bytes(checkpoint))
        at: datetime = response.tst_info.gen_time
    except Exception as error:  # the decoder has errors of its own
        raise FileFormatError(
            "timestamp-invalid",
            f"the time stamp is not one of this checkpoint by the authority of {roots}: {error}.",
            place=str(path),
            remedy="give the root certificate of the authority that made it (timestamp_roots), or "
            "use your other copy.",
        ) from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _certificates(roots: Path) -> list[Any]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(read_bytes(roots))
    except ValueError as error:
        raise InputError(
            "no-certificate",
            "this file contains no certificate.",
            place=str(roots),
            remedy="give the root certificates of the authority in PEM format.",
        ) from error


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise InputError(
            "no-timestamps",
            "the library for time stamps is not installed.",
            remedy='pip install "calib-metrology[timestamp]".',
        ) from None
    return rfc3161_client


def _failed(url: str, why: str) -> StoreError:
    return StoreError(
        "timestamp-failed",
        f"the time-stamp authority gave no time stamp: {why}.",
        place=url,
        remedy="try again, or unset timestamp_url to go on without.",
    )
