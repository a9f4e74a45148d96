"""What a validation lacked, fetched: CRLs, OCSP responses and issuers, with a cache on disk that goes by freshness."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handfast.client.addresses import EgressPolicy
from handfast.client.egress import Message, fetch
from handfast.errors import Malformed, Unavailable
from handfast.validate.revocation import load_crl, load_response

# A forged answer must not stay for years because it says that it is fresh for years.
LONGEST = timedelta(days=1)
_ISSUER_LIFE = timedelta(days=1)


def now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches what certificates point to. cache: a directory, or None to remember nothing. offline: the cache only."""

    policy: EgressPolicy = field(default_factory=EgressPolicy)
    cache: Path | None = None
    offline: bool = False
    clock: Callable[[], datetime] = now

    def crl(self, url: str) -> bytes:
        """The CRL there, in DER. Raises what `egress.fetch` raises, and Malformed when it is no CRL."""
        return self._get(url, None, _crl_ends)

    def issuer(self, url: str) -> bytes:
        """The certificates there: DER, PEM or PKCS#7, as served."""
        return self._get(url, None, lambda _, moment: moment + _ISSUER_LIFE)

    def ocsp(self, url: str, request: bytes) -> bytes:
        """The response, in DER, of the OCSP responder there to this request."""
        return self._get(url, Message(request, "application/ocsp-request"), _response_ends)

    def _get(self, url: str, message: Message | None, ends: Callable[[bytes, datetime], datetime]) -> bytes:
        path = self._path(url, message)
        moment = self.clock()
        cached = _read(path, moment) if path else None
        if cached is not None:
            return cached
        if self.offline:
            hint = "run once without --offline, or give the file yourself"
            raise Unavailable(f"{url} is not in the cache, and this is offline", hint=hint)
        body = fetch(url, policy=self.policy, message=message)
        until = min(ends(body, moment), moment + LONGEST)
        if path and until > moment:
            head = json.dumps({"url": url, "until": until.isoformat()})
            _write(path, head.encode() + b"\n" + body)
        return body

    def _path(self, url: str, message: Message | None) -> Path | None:
        if self.cache is None:
            return None
        digest = hashlib.sha256(url.encode() + b"\0" + (message.body if message else b""))
        return self.cache / digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, for the owner only. A cache that cannot be written to is as good as none."""
    temporary = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
        temporary.replace(path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _read(path: Path, moment: datetime) -> bytes | None:
    """The body in the cache while it is fresh; whatever is wrong with the file is as if it were not there."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        until = datetime.fromisoformat(str(json.loads(head)["until"]))
        return body if moment < until else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _crl_ends(body: bytes, moment: datetime) -> datetime:
    return load_crl(body, source="the CRL that was fetched").next_update or moment


def _response_ends(body: bytes, moment: datetime) -> datetime:
    response = load_response(body, source="the OCSP response that was fetched")
    try:
        ends = [single.next_update_utc for single in response.responses]
    except ValueError:
        # An error from the responder: it holds no answers, and is not worth remembering.
        return moment
    if not ends:
        raise Malformed("the OCSP response holds no answer", hint="ask the operator of the responder")
    return min(end or moment for end in ends)
