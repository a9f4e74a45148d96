"""nginx: client certificates for a virtual host (ngx_http_ssl_module)."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    Case,
    Check,
    CrlForm,
    CrlScope,
    DenyList,
    Group,
    Identity,
    Level,
    Option,
    Refusal,
    RenderedFile,
    SerialForm,
    Setting,
    Since,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block, heading

CONFIG = "nginx-mtls.conf"
_HTTP2_DIRECTIVE = (1, 25, 1)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One file for the http block: a deny-list when there is one, and the virtual host."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Belongs in the http block of nginx."),
        _denylist(setting),
        "server {\n",
        _listen(setting),
        _own(setting),
        _tls(setting),
        _clients(setting),
        _sessions(),
        _application(setting).rstrip("\n") + "\n",
        "}\n",
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts), comment="the virtual host; include it in http { }"),)


def _denylist(setting: Setting) -> str:
    if not setting.denylist:
        return ""
    return block(
        "Serial numbers that are refused whatever the CRL says, in capital hexadecimal.",
        ["map $ssl_client_serial $handfast_denied {", "    default 0;", f"    include {setting.denylist};", "}"],
        indent="",
    )


def _listen(setting: Setting) -> str:
    new = setting.version is not None and setting.version >= _HTTP2_DIRECTIVE
    words = "ssl" if new else "ssl http2"
    if setting.listen:
        lines = [f"listen {setting.listen}:{setting.port} {words};"]
    else:
        lines = [f"listen {setting.port} {words};", f"listen [::]:{setting.port} {words};"]
    if new:
        lines.append("http2 on;")
    return block("", [*lines, f"server_name {' '.join(setting.names)};"])


def _own(setting: Setting) -> str:
    return block(
        "Our own certificate, followed by its intermediates, and its key.",
        [f"ssl_certificate {setting.certificate};", f"ssl_certificate_key {setting.key};"],
    )


def _tls(setting: Setting) -> str:
    lines = [f"ssl_protocols {' '.join(mozilla.VERSIONS[setting.level])};"]
    if setting.level is Level.INTERMEDIATE:
        lines.append(f"ssl_ciphers {':'.join(mozilla.CIPHERS)};")
    hybrid = target.option(setting, "hybrid") == "yes"
    lines += [f"ssl_ecdh_curve {mozilla.groups(hybrid=hybrid)};", "ssl_prefer_server_ciphers off;"]
    return block(f"Mozilla Server Side TLS 6.0, {setting.level}.", lines)


def _clients(setting: Setting) -> str:
    return block(
        "Who may come: holders of a certificate below these roots. Clients send their intermediates.\n"
        "The depth counts the CA certificates above the client's own.\n"
        "The CRL file holds one CRL for every CA in the chain, the root too: without one of them nobody gets in.",
        [
            f"ssl_client_certificate {setting.client_ca};",
            "ssl_verify_client on;",
            f"ssl_verify_depth {setting.depth};",
            f"ssl_crl {setting.crl};",
        ],
    )


def _sessions() -> str:
    return block(
        "A resumed session is not checked against the CRL or the clock: a revoked or expired client would come\n"
        "back with it. So every connection is a full handshake.",
        ["ssl_session_cache off;", "ssl_session_tickets off;"],
    )


def _application(setting: Setting) -> str:
    denied = "    if ($handfast_denied) { return 403; }"
    refuse = [denied] if setting.denylist else []
    if not setting.upstream:
        greeting = ["    default_type text/plain;", '    return 200 "hello $ssl_client_s_dn\\n";']
        return block("Put your application here; this one greets.", ["location / {", *refuse, *greeting, "}"])
    return block(
        "The identity for the application, in headers that a client cannot set: each one is overwritten or removed\n"
        "here. A location that sets any header of its own loses these, so it must repeat them all.\n"
        "Names with an underscore, which many frameworks take for the same header, nginx drops by itself.",
        [
            "underscores_in_headers off;",
            "location / {",
            *refuse,
            f"    proxy_pass http://{setting.upstream};",
            "    proxy_set_header Host $host;",
            "    proxy_set_header X-Forwarded-For $remote_addr;",
            "    proxy_set_header X-Forwarded-Proto https;",
            "    proxy_set_header X-Client-Verify $ssl_client_verify;",
            "    proxy_set_header X-Client-Subject $ssl_client_s_dn;",
            "    proxy_set_header X-Client-Serial $ssl_client_serial;",
            "    proxy_set_header X-Client-Cert $ssl_client_escaped_cert;",
            '    proxy_set_header Client-Cert "";',
            '    proxy_set_header Client-Cert-Chain "";',
            "}",
        ],
    )


_HARNESS = """pid {scratch}/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    include %s;
}
"""


def check(setting: Setting) -> Check:
    """`nginx -t` on this file alone, wherever the system's nginx.conf is."""
    harness = RenderedFile("{scratch}/nginx.conf", _HARNESS % setting.file(CONFIG))
    command = ("nginx", "-t", "-q", "-p", "{scratch}", "-c", "{scratch}/nginx.conf", "-g", "error_log stderr;")
    return Check(command, (harness,))


_SEEN = 'HTTP 400, "The SSL certificate error"'

target = Target(
    name="nginx",
    title="nginx",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="nginx",
    packages=("nginx-light",),
    directory="/etc/nginx/handfast",
    install=(
        f"ln -s DIR/{CONFIG} /etc/nginx/conf.d/{CONFIG}",
        "nginx -t && nginx -s reload",
    ),
    minimum="1.19.4",
    newer=(
        Since("1.25.1", "`http2 on`, in place of the parameter of `listen`"),
        Since("1.23.2", "resumption chains end at the session timeout, should you ever allow sessions"),
    ),
    test="nginx -t",
    reload="nginx -s reload",
    kick="nginx -s reload ends idle keep-alive connections; to cut busy ones too: systemctl restart nginx",
    depth="ssl_verify_depth counts the CA certificates above the leaf; for issuing CA and root, 1 is enough too",
    resumption="off: no cache and no tickets; with either, revoked and expired clients come back",
    broken_crl="nginx -t refuses a truncated or empty file, and a reload keeps the old workers: always test first",
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    denylist=DenyList(SerialForm.UPPER_HEX, "denied.map", "{serial} 1;"),
    identity=Identity(
        "$ssl_client_s_dn, $ssl_client_serial, $ssl_client_escaped_cert",
        "X-Client-Verify, X-Client-Subject, X-Client-Serial, X-Client-Cert (PEM, URL-encoded)",
    ),
    refusals=(
        Refusal(
            Case.NO_CERTIFICATE,
            'HTTP 400, "No required SSL certificate was sent"',
            "client sent no required SSL certificate",
        ),
        Refusal(Case.SELF_SIGNED, _SEEN, "(3:unable to get certificate CRL)"),
        Refusal(Case.OTHER_CA, _SEEN, "(3:unable to get certificate CRL)"),
        Refusal(Case.EXPIRED, _SEEN, "(10:certificate has expired)"),
        Refusal(Case.NOT_YET_VALID, _SEEN, "(9:certificate is not yet valid)"),
        Refusal(Case.SERVER_ONLY, _SEEN, "(26:unsuitable certificate purpose)"),
        Refusal(Case.NO_INTERMEDIATE, _SEEN, "(21:unable to verify the first certificate)"),
        Refusal(Case.REVOKED, _SEEN, "(23:certificate revoked)"),
    ),
    weaknesses=(
        Weakness(
            Case.BARE,
            "nginx takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; put the serial number of one that exists on the "
            "deny-list: handfast config nginx --deny SERIAL",
        ),
    ),
    options=(Option("hybrid", "no", "yes: offer the post-quantum group X25519MLKEM768 too (needs OpenSSL 3.5)"),),
)
