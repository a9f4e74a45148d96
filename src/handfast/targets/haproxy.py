"""HAProxy: ends TLS, hands the client's certificate on (RFC 9440), and refuses listed serial numbers at once."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    Case,
    Check,
    CrlForm,
    CrlScope,
    DenyList,
    Group,
    Identity,
    IdentityForm,
    Level,
    Option,
    Refusal,
    RenderedFile,
    SerialForm,
    Setting,
    Status,
    Target,
)
from handfast.targets.layout import block, heading

CONFIG = "haproxy-mtls.cfg"
DENYLIST = DenyList(
    SerialForm.UPPER_HEX,
    "denied.lst",
    "{serial}",
    hot='echo "add acl DIR/denied.lst {serial}" | socat - /run/haproxy/admin.sock',
)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A file that is read after haproxy.cfg. The deny-list that it names is written beside it, always."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Read after haproxy.cfg, whose global section stays as it is."),
        _global(),
        _defaults(),
        "frontend mtls from mtls\n",
        _bind(setting),
        _refuse(setting),
        *_application(setting),
    ]
    content = "".join(parts).rstrip("\n") + "\n"
    return (RenderedFile(setting.file(CONFIG), content, comment="read after haproxy.cfg"),)


def _global() -> str:
    return "global\n" + block(
        "A resumed session is not checked against the CRL or the clock: a revoked or expired client would come\n"
        "back with it. So every connection is a full handshake: no cache here, no tickets below.",
        ["tune.ssl.cachesize 0"],
    )


def _defaults() -> str:
    log = "%ci:%cp [%tr] %ft refused: %[ssl_fc_err_str] leaf=%[ssl_c_err] ca=%[ssl_c_ca_err]"
    timeouts = [f"timeout {name} {length}" for name, length in _TIMEOUTS]
    return "defaults mtls\n" + block(
        "leaf and ca in a refusal are OpenSSL's numbers: 10 expired, 12 CRL expired, 3 no CRL, 23 revoked,\n"
        "26 wrong purpose, 20 unknown CA. The alert that the client sees often says something else.",
        ["mode http", "log global", "option httplog", f'error-log-format "{log}"', *timeouts],
    )


_TIMEOUTS = (("connect", "5s"), ("client", "50s"), ("server", "50s"), ("http-request", "10s"))


def _bind(setting: Setting) -> str:
    tls = [f"ssl-min-ver {mozilla.VERSIONS[setting.level][0]}"]
    if setting.level is Level.INTERMEDIATE:
        tls.append(f"ciphers {':'.join(mozilla.CIPHERS)}")
    hybrid = target.option(setting, "hybrid") == "yes"
    tls.append(f"curves {mozilla.groups(hybrid=hybrid)}")
    clients = f"verify required ca-file {setting.client_ca} crl-file {setting.crl}"
    addresses = f"{setting.listen}:{setting.port}" if setting.listen else f":::{setting.port} v4v6"
    words = f"{addresses} ssl crt {setting.certificate} {clients} {' '.join(tls)} no-tls-tickets alpn h2,http/1.1"
    return block(
        "Who may come: holders of a certificate below the roots in ca-file. Clients send their intermediates.\n"
        "crl-file holds one CRL for every CA in the chain, the root too: without one of them nobody gets in.\n"
        f"TLS as in Mozilla Server Side TLS 6.0, {setting.level}.",
        [f"bind {words}"],
    )


def _refuse(setting: Setting) -> str:
    return block(
        "Asked at every request, so this also ends connections from before the revocation. The file is capital\n"
        "hexadecimal; while HAProxy runs, its admin socket takes: add acl FILE SERIAL.\n"
        "A version 1 certificate has no extensions, so OpenSSL takes it for good for every purpose.",
        [
            f"http-request deny deny_status 403 if {{ ssl_c_serial,hex -m str -f {setting.denylist} }}",
            "http-request deny deny_status 403 if { ssl_c_version lt 3 }",
        ],
    )


def _application(setting: Setting) -> tuple[str, ...]:
    subject = "ssl_c_s_dn(,0,rfc2253)"
    if not setting.upstream:
        greeting = f'http-request return content-type text/plain lf-string "hello %[{subject}]\\n"'
        return (block("Put your application here; this line greets.", [greeting]),)
    headers = block(
        "The identity for the application, in headers that a client cannot set. Names with an underscore, which\n"
        "many frameworks take for the same header, are dropped.",
        [
            "option http-restrict-req-hdr-names delete",
            "http-request del-header X-Client- -m beg",
            "http-request del-header Client-Cert -m beg",
            f"http-request set-header X-Client-Subject %[{subject}]",
            "http-request set-header X-Client-Serial %[ssl_c_serial,hex]",
            "http-request set-header X-Client-Verify SUCCESS",
            "http-request set-header Client-Cert :%[ssl_c_der,base64]:",
            "http-request set-header X-Forwarded-Proto https",
            "option forwardfor",
            "default_backend mtls_application",
        ],
    )
    return (headers, "backend mtls_application from mtls\n", f"    server application {setting.upstream}\n")


_HARNESS = "global\n    log stderr format raw local0\n"


def check(setting: Setting) -> Check:
    """`haproxy -c`: it reads the CRLs and the deny-list too, and refuses broken ones."""
    harness = RenderedFile("{scratch}/haproxy.cfg", _HARNESS)
    return Check(("haproxy", "-c", "-q", "-f", "{scratch}/haproxy.cfg", "-f", setting.file(CONFIG)), (harness,))


target = Target(
    name="haproxy",
    title="HAProxy",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="haproxy",
    packages=("haproxy",),
    directory="/etc/haproxy/handfast",
    install=(
        f'in /etc/default/haproxy: EXTRAOPTS="-f DIR/{CONFIG} -S /run/haproxy-master.sock"',
        f"haproxy -c -f /etc/haproxy/haproxy.cfg -f DIR/{CONFIG}",
        "the first time: systemctl restart haproxy; from then on: systemctl reload haproxy",
    ),
    minimum="2.6",
    test=f"haproxy -c -f /etc/haproxy/haproxy.cfg -f DIR/{CONFIG}",
    reload="systemctl reload haproxy",
    kick="add the serial number to the deny-list on the admin socket: the next request on any connection gets 403",
    depth="none to set; OpenSSL's limit of 100 holds",
    resumption="off: no cache and no tickets; a tls-ticket-keys file would let revoked clients back in, and so would "
    "a CRL exchanged on the admin socket without a reload",
    broken_crl="haproxy -c and the reload refuse a truncated or empty file, and the old worker goes on: test first",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    identity_form=IdentityForm.COMBINED,
    denylist=DENYLIST,
    identity=Identity(
        "ssl_c_s_dn, ssl_c_serial, ssl_c_der",
        "Client-Cert (RFC 9440), X-Client-Subject, X-Client-Serial, X-Client-Verify",
    ),
    refusals=(
        Refusal(
            Case.NO_CERTIFICATE,
            "alert certificate required (TLS 1.2: handshake failure)",
            "peer did not return a certificate",
        ),
        Refusal(Case.SELF_SIGNED, "alert unknown ca", "leaf=18"),
        Refusal(Case.OTHER_CA, "alert unknown ca", "ca=20"),
        Refusal(Case.EXPIRED, "alert certificate expired", "leaf=10"),
        Refusal(Case.NOT_YET_VALID, "alert bad certificate", "leaf=9"),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate", "leaf=26"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", "leaf=20"),
        Refusal(Case.REVOKED, "alert certificate revoked", "leaf=23"),
        Refusal(Case.BARE, "HTTP 403", "403"),
    ),
    options=(Option("hybrid", "no", "yes: offer the post-quantum group X25519MLKEM768 too (needs OpenSSL 3.5)"),),
)
