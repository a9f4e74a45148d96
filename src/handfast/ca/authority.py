"""Authority: the CA and RA in one object (RFC 5280 section 3). Its methods are the use cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509

from handfast.ca import answering, approving, authenticating, enrolling, finding, issuing, limits, renewing, repeating
from handfast.ca.answering import OCSP_LIFETIME, OcspAnswer, OcspMemory
from handfast.ca.approving import PendingRecord
from handfast.ca.authenticating import Credentials, Register
from handfast.ca.claims import ApprovalUse, Claim, TokenUse
from handfast.ca.enrollment import Enrollment
from handfast.ca.issuer import Issuer, require_no_root
from handfast.ca.issuing import Decision
from handfast.ca.limits import Limits
from handfast.ca.office import Office
from handfast.ca.order import Issued, Order
from handfast.ca.policy import OPERATOR, Grant, Policy, Requester
from handfast.ca.ports import Clock, NewSerial, Randomness, Store, no_randomness
from handfast.ca.published import Published, Which
from handfast.ca.publishing import Publisher
from handfast.ca.records import AuditEvent, CertificateRecord, Listing, Page, Pending, Reason, Role, State
from handfast.ca.refusals import FAILED, LIMITED, Refusal, Refusals, Uncounted
from handfast.ca.revoking import next_revocation, with_revocation
from handfast.errors import ConfigError, Conflict, Denied, RateLimited, RequestError, Unacceptable, Unauthenticated
from handfast.pki.keys import PublicKey, kind_of
from handfast.pki.nearest import nearest
from handfast.pki.ocsp_response import Responder, responder_of
from handfast.pki.profile import Profile
from handfast.pki.serial import serial_text
from handfast.pki.subject import format_subject, parse_subject

CRL_LIFETIME = timedelta(days=7)
ROOT_CRL_LIFETIME = timedelta(days=365)
Carrier = Callable[[Sequence[Decision], Store], list[Issued]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Authority:
    """Several issuers over one store. default_issuer: the name of the one that signs when an order names none.

    carrier: carries out what was decided, as issuing.carry_out does; a service brings one that does it for several
    requests together. enrollment: what the enrollment protocols go by. randomness: for keys that are made for others.
    refusals: counts those that are told in sums.
    """

    issuers: Mapping[str, Issuer]
    default_issuer: str
    profiles: Mapping[str, Profile]
    policy: Policy
    store: Store
    clock: Clock
    new_serial: NewSerial
    crl_lifetime: timedelta = CRL_LIFETIME
    carrier: Carrier = issuing.carry_out
    limits: Limits = field(default_factory=Limits)
    has_deltas: bool = False
    ocsp_memory: OcspMemory | None = None
    ocsp_lifetime: timedelta = OCSP_LIFETIME
    enrollment: Enrollment = field(default_factory=Enrollment)
    randomness: Randomness = no_randomness
    refusals: Refusals = field(default_factory=Uncounted)

    def issuer(self, name: str | None = None) -> Issuer:
        """The issuer of that name, or the default one. Raises ConfigError, naming the nearest."""
        wanted = name or self.default_issuer
        if not self.issuers:
            raise ConfigError(
                "this authority has no CA certificate yet", hint="install one: handfast issuer install NAME FILE"
            )
        if wanted not in self.issuers:
            raise ConfigError(f"there is no issuer {wanted!r}", hint=nearest(wanted, self.issuers))
        return self.issuers[wanted]

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises ConfigError, naming the nearest."""
        if name not in self.profiles:
            raise ConfigError(f"there is no profile {name!r}", hint=nearest(name, self.profiles))
        return self.profiles[name]

    def decide(self, order: Order) -> Decision:
        """May it be issued? Authorized, drafted and checked, not recorded. Raises Denied or Unacceptable, on record.

        Of a profile that needs approvals only the machine itself issues by this: everybody else goes by enroll().
        """
        if self._approvals_for(order) and not order.requester.is_local:
            msg = f"certificates of the profile {order.profile} need the approval of others"
            raise Denied(msg, hint="ask for it by enrolling, and let them approve it")
        return self._decide(order)

    def _decide(self, order: Order) -> Decision:
        profile, issuer, now = self.profile(order.profile), self.issuer(order.issuer), self.clock()
        try:
            self._authorize(order, profile, issuer)
            decision = issuing.decide(order, profile, issuer, serial=self.new_serial(), now=now)
            claims = self._claims(order, now)
            return replace(decision, claims=claims) if claims else decision
        except RateLimited as error:
            self._limited(order, error)
            raise
        except RequestError as error:
            self._refused(order, error, now)
            raise

    def _authorize(self, order: Order, profile: Profile, issuer: Issuer) -> None:
        renews_itself = renewing.renews_itself(order)
        if renews_itself:
            self.policy.require_allowed(profile.name, order.names)
        else:
            self.policy.authorize(order.requester, profile.name, order.names, subject=order.subject)
        if profile.is_ca:
            self.policy.require_at_machine(order.requester, profile.name)
        elif profile.speaks_for_issuer and not renews_itself:
            self.policy.require(order.requester, Grant.MANAGE)
        if order.replaces is not None:
            renewing.require_replaceable(order, self.store, now=self.clock())
        elif not order.requester.is_local and issuer.name != self.default_issuer:
            require_no_root(issuer)
        now = self.clock()
        limits.require_room(self.store.quotas, self.limits.uses(order.requester, profile.name, now))

    def _approvals_for(self, order: Order) -> int:
        return 0 if renewing.renews_itself(order) else self.policy.approvals.get(order.profile, 0)

    def authenticate(self, credentials: Credentials) -> Requester:
        """Who that is, by one point read. Raises Unauthenticated, also for what is revoked, held or expired."""
        register = Register(store=self.store, now=self.clock(), profiles=self.profiles, refusals=self.refusals)
        return authenticating.authenticate(credentials, register)

    def enroll(self, order: Order) -> Issued | Pending:
        """Issue, or wait until as many others agree as the profile asks for: then ask again with the same order.

        The same order again is answered by the same Pending, and after that by the very same certificate while it is
        valid. So is a row of a batch, for ever. Raises Denied, also for what was rejected, Unacceptable, RateLimited,
        Conflict or Unavailable.
        """
        if order.batch_row is None:
            return self._enroll(order)
        go_on = partial(self._enroll, order)
        return repeating.once(order, self.store, self.clock, repeat=self._repeat, go_on=go_on)

    def _enroll(self, order: Order) -> Issued | Pending:
        needed = self._approvals_for(order)
        if not needed:
            return self._issue(self._decide(order))
        return enrolling.enroll(self, order, needed)

    def _repeat(self, order: Order, record: CertificateRecord) -> Issued:
        known = issuing.again(record, self.issuer(record.issuer), self.store)
        return self._renewed(order, self.resume(order, record) if known is None else known)

    def approve(self, transaction: str, requester: Requester) -> PendingRecord:
        """Agree to a request that waits; how it stands then. Raises Denied for whoever asked, NotFound, Conflict."""
        self.policy.require(requester, Grant.APPROVE)
        record = approving.known(self.store.approvals.find(transaction), transaction)
        approving.require_may_approve(record, requester)
        self.store.approvals.approve(transaction, requester.name, self._decided(record, requester, "request.approved"))
        return approving.known(self.store.approvals.find(transaction), transaction)

    def reject(self, transaction: str, requester: Requester, reason: str = "") -> PendingRecord:
        """Refuse a request for ever. Raises Denied, NotFound, Conflict when it was decided."""
        self.policy.require(requester, Grant.APPROVE)
        record = approving.known(self.store.approvals.find(transaction), transaction)
        event = self._decided(record, requester, "request.rejected", reason=reason[:500])
        self.store.approvals.reject(transaction, requester.name, reason[:500], event)
        return approving.known(self.store.approvals.find(transaction), transaction)

    def pending(self, requester: Requester = OPERATOR, *, waiting: bool = True) -> tuple[PendingRecord, ...]:
        """The requests that wait, or all that are remembered; one's own only, without the grant to read."""
        found = self.store.approvals.all(now=self.clock(), waiting=waiting)
        if requester.grants & {Grant.READ, Grant.APPROVE}:
            return found
        return tuple(one for one in found if requester.owner in {one.requester, one.sponsor})

    @property
    def office(self) -> Office:
        """Where requesters and tokens are made and ended."""
        return Office(store=self.store, policy=self.policy, profiles=self.profiles, clock=self.clock)

    def issue(self, order: Order) -> Issued:
        """Issue one certificate. Raises Denied, Unacceptable, Conflict or Unavailable; then nothing was issued."""
        return self._issue(self.decide(order))

    def _issue(self, decision: Decision, approval: ApprovalUse | None = None) -> Issued:
        order = decision.order
        if approval is not None:
            decision = replace(decision, claims=(*decision.claims, approval))
        try:
            issued = self.carrier((decision,), self.store)[0]
        except (RateLimited, Unauthenticated) as error:
            self._limited(order, error)
            raise
        return self._renewed(order, issued)

    def _renewed(self, order: Order, issued: Issued) -> Issued:
        if order.replaces is None:
            return issued
        replaced = renewing.replaced_by(order, self.store)
        renewing.carry_over(order, replaced, issued, self.store)
        return replace(issued, replaced=replaced)

    def _claims(self, order: Order, now: datetime) -> tuple[Claim, ...]:
        bond = order.requester.bond
        token = () if bond is None else (TokenUse(bond.digest, now),)
        return (*token, *self.limits.uses(order.requester, order.profile, now))

    def carry_out(self, decisions: Sequence[Decision]) -> list[Issued]:
        """Issue all that was decided, with two writes to the disk for all of it together."""
        return self.carrier(decisions, self.store) if decisions else []

    def resume(self, order: Order, record: CertificateRecord) -> Issued:
        """Finish a certificate that was begun for this order and never signed, as far as anybody can know.

        Raises Conflict when it was revoked since, or when it would become another certificate now.
        """
        if record.state(self.clock()) is not State.UNFINISHED:
            msg = f"the certificate {serial_text(record.serial)} of {record.label} is {record.state(self.clock())}"
            raise Conflict(msg, hint="issue it anew under another name or batch")
        self.policy.authorize(order.requester, order.profile, order.names, subject=order.subject)
        profile, issuer = self.profile(order.profile), self.issuer(record.issuer)
        decision = issuing.decide(order, profile, issuer, serial=record.serial, now=record.created_at)
        return issuing.resume(decision, record, self.store)

    def renew(
        self, record: CertificateRecord, *, lifetime: timedelta | None = None, requester: Requester = OPERATOR
    ) -> Issued:
        """A new certificate for the same key, subject and names. The old one stays valid: the answer names it."""
        old = record.x509()
        if old is None:
            msg = f"the certificate {serial_text(record.serial)} was never finished: there is no key to renew"
            raise Conflict(msg, hint="issue a new one")
        return self.rekey(record, old.public_key(), lifetime=lifetime, requester=requester)

    def rekey(
        self,
        record: CertificateRecord,
        public_key: PublicKey,
        *,
        lifetime: timedelta | None = None,
        requester: Requester = OPERATOR,
    ) -> Issued:
        """A new certificate for another key, with the same subject and names. The old one stays valid."""
        certificate = record.x509()
        subject = certificate.subject if certificate is not None else parse_subject(record.subject)
        return self.issue(
            Order(
                profile=record.profile,
                public_key=public_key,
                subject=subject,
                names=record.names,
                lifetime=lifetime,
                requester=requester,
                replaces=record.serial,
            )
        )

    def revoke(
        self, record: CertificateRecord, reason: Reason = Reason.UNSPECIFIED, *, requester: Requester = OPERATOR
    ) -> CertificateRecord:
        """Revoke for ever. Raises Conflict when it is revoked already; a hold becomes a revocation."""
        if reason in {Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL}:
            raise Conflict(f"{reason} is no reason to revoke for ever", hint="use hold or release")
        return self._append(record, reason, "certificate.revoked", requester)

    def hold(self, record: CertificateRecord, *, requester: Requester = OPERATOR) -> CertificateRecord:
        """Revoke until it is released. Raises Conflict when it is held or revoked already."""
        return self._append(record, Reason.CERTIFICATE_HOLD, "certificate.held", requester)

    def release(self, record: CertificateRecord, *, requester: Requester = OPERATOR) -> CertificateRecord:
        """End a hold. Raises Conflict for a certificate that is not on hold: revoked never becomes good again."""
        return self._append(record, Reason.REMOVE_FROM_CRL, "certificate.released", requester)

    def find(self, text: str) -> CertificateRecord:
        """The one certificate meant by a serial, a fingerprint or a name. Raises NotFound, or Conflict with a list."""
        return finding.the_one(self.store, text)

    def find_certificate(self, certificate: x509.Certificate) -> CertificateRecord:
        """The record of this very certificate. Raises NotFound."""
        return finding.by_certificate(self.store, certificate)

    def ocsp(self, request: bytes) -> OcspAnswer:
        """Answer an OCSP request in DER. Raises Malformed, NotFound, ConfigError and Unavailable (answering.answer)."""
        return answering.answer(
            request,
            issuers=self.issuers,
            store=self.store,
            responder=self.ocsp_responder,
            now=self.clock(),
            lifetime=self.ocsp_lifetime,
        )

    def ocsp_answers(self, issuer: str, serials: Sequence[int]) -> list[bytes]:
        """OCSP answers about certificates of one issuer, for a static web server (answering.answers)."""
        return answering.answers(
            serials,
            self.issuer(issuer),
            store=self.store,
            responder=self.ocsp_responder,
            now=self.clock(),
            lifetime=self.ocsp_lifetime,
        )

    def ocsp_responder(self, issuer: Issuer, instead_of: Responder | None = None) -> Responder:
        """Who signs OCSP answers for an issuer, by a key and a certificate that this process made itself.

        instead_of: one that may sign no more.
        """
        memory = self.ocsp_memory
        if memory is None:
            raise ConfigError("this authority answers no OCSP", hint="open it as the service does, with a memory")
        if instead_of is not None:
            memory.forget(issuer.name, instead_of)
        kind = answering.key_kind_for(issuer)

        def make() -> Responder:
            key = memory.new_key(kind)
            order = Order(
                profile=answering.PROFILE,
                public_key=key.public_key(),
                subject=parse_subject(f"CN=OCSP responder of {issuer.name}"),
                issuer=issuer.name,
                requester=answering.RESPONDER,
            )
            return responder_of(self.issue(order).certificate, key)

        return memory.responder(issuer.name, make, now=self.clock())

    def search(self, listing: Listing) -> Page:
        """One page of certificates, in the order that Listing tells."""
        return self.store.search(listing)

    def expiring(self, within: timedelta, *, before: int | None = None, limit: int = 50) -> Page:
        """The certificates that are valid now and end within that time, the earliest end first."""
        now = self.clock()
        listing = Listing(now=now, state=State.VALID, expires_before=now + within, before=before, limit=limit)
        return self.store.search(listing)

    def crl(self, issuer: str | None = None, *, requester: Requester = OPERATOR) -> bytes:
        """A new CRL of all that an issuer revoked, in DER. Raises ConfigError when the issuer's key is not there."""
        return self.publish(Which(self.issuer(issuer).name), requester=requester).der

    def publish(self, which: Which, *, requester: Requester = OPERATOR) -> Published:
        """Make a new CRL and publish it in the store. Raises ConfigError when the issuer's key is not there."""
        one = self.issuer(which.issuer)
        lifetime = ROOT_CRL_LIFETIME if one.role is Role.ROOT else self.crl_lifetime
        publisher = Publisher(store=self.store, issuer=one, lifetime=lifetime, now=self.clock(), actor=requester.name)
        return publisher.publish(which)

    def _append(
        self, record: CertificateRecord, reason: Reason, action: str, requester: Requester
    ) -> CertificateRecord:
        renewing.require_may_touch(requester, record, self.store)
        now = self.clock()
        last = self.store.revocation(record.issuer, record.serial)
        try:
            revocation = next_revocation(record, last, reason, now=now, requester=requester.name)
        except Conflict:
            if last is not None:
                # Who asks again may have had no answer the first time: then only a restore would notice.
                self.store.tell_again(last)
            raise
        event = AuditEvent(
            at=now,
            actor=requester.name,
            action=action,
            issuer=record.issuer,
            serial=record.serial,
            detail={"reason": reason.value, "label": record.label},
        )
        self.store.append_revocation(revocation, event)
        return with_revocation(record, revocation)

    def _decided(self, record: PendingRecord, requester: Requester, action: str, **detail: str) -> AuditEvent:
        known = {"transaction": record.transaction, "requester": record.requester, "subject": record.subject}
        return AuditEvent(at=self.clock(), actor=requester.name, action=action, detail={**known, **detail})

    def _limited(self, order: Order, error: RateLimited | Unauthenticated) -> None:
        """Count it: a limit that is reached, or a token that somebody else was using at the same time."""
        action, by = (LIMITED, "") if isinstance(error, RateLimited) else (FAILED, "token")
        refusal = Refusal(action=action, reason=error.message, by=by, requester=order.requester.name)
        self.refusals.note(refusal, self.clock())

    def _refused(self, order: Order, error: RequestError, now: datetime) -> None:
        codes = ",".join(finding.code for finding in error.findings) if isinstance(error, Unacceptable) else ""
        detail = {
            "profile": order.profile,
            "subject": format_subject(order.subject),
            "key": str(kind_of(order.public_key)),
            "error": type(error).__name__,
            "message": error.message[:500],
            "findings": codes,
        }
        event = AuditEvent(at=now, actor=order.requester.name, action="certificate.refused", detail=detail)
        self.store.append(event)
