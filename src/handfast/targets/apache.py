"""Apache httpd: client certificates for a virtual host (mod_ssl)."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    Check,
    CrlForm,
    CrlScope,
    DenyList,
    Group,
    Harm,
    Identity,
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

CONFIG = "apache-mtls.conf"
# What this file uses beyond the core, as Debian names the modules for a2enmod.
MODULES = ("ssl", "headers", "proxy", "proxy_http", "setenvif", "authz_core")


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One file with a virtual host."""
    parts = [
        heading(f"Mutual TLS for {setting.name}. Modules: a2enmod ssl headers proxy_http setenvif"),
        f"<VirtualHost {setting.listen or '*'}:{setting.port}>\n",
        _names(setting),
        _own(setting),
        _tls(setting),
        _clients(setting),
        _sessions(),
        _extensions(setting),
        _application(setting).rstrip("\n") + "\n",
        "</VirtualHost>\n",
    ]
    return (RenderedFile(setting.file(CONFIG), "".join(parts), comment="the virtual host, a site for a2ensite"),)


def _names(setting: Setting) -> str:
    aliases = [f"ServerAlias {' '.join(setting.names[1:])}"] if setting.names[1:] else []
    return block("", [f"ServerName {setting.name}", *aliases, "SSLEngine on"])


def _sessions() -> str:
    return block(
        "A resumed session is not checked against the CRL or the clock: a revoked or expired client would come\n"
        "back with it. So every connection is a full handshake. The server may have a session cache for all hosts\n"
        "(Debian's ssl.conf has), which `SSLSessionCache none` would not take back: what dies at once, dies here.",
        ["SSLSessionTickets off", "SSLSessionCacheTimeout 0"],
    )


def _own(setting: Setting) -> str:
    return block(
        "Our own certificate, followed by its intermediates, and its key.",
        [f'SSLCertificateFile "{setting.certificate}"', f'SSLCertificateKeyFile "{setting.key}"'],
    )


def _tls(setting: Setting) -> str:
    protocols = " ".join(f"+{version}" for version in mozilla.VERSIONS[setting.level])
    lines = [f"SSLProtocol -all {protocols}"]
    if setting.level is Level.INTERMEDIATE:
        lines.append(f"SSLCipherSuite {':'.join(mozilla.CIPHERS)}")
    hybrid = target.option(setting, "hybrid") == "yes"
    lines += [f"SSLOpenSSLConfCmd Curves {mozilla.groups(hybrid=hybrid)}", "SSLHonorCipherOrder off"]
    return block(f"Mozilla Server Side TLS 6.0, {setting.level}.", lines)


def _clients(setting: Setting) -> str:
    return block(
        "Who may come: holders of a certificate below these roots. Clients send their intermediates.\n"
        "The depth counts every CA certificate, the root too: 1 would refuse all who have an issuing CA between.\n"
        "Without the last line Apache reads the CRLs and ignores them. The file holds one for every CA in the\n"
        "chain, the root too. Keep all this on the virtual host: in a <Location> it needs a second handshake,\n"
        "which browsers refuse under TLS 1.3.",
        [
            f'SSLCACertificateFile "{setting.client_ca}"',
            "SSLVerifyClient require",
            f"SSLVerifyDepth {setting.depth}",
            f'SSLCARevocationFile "{setting.crl}"',
            "SSLCARevocationCheck chain",
        ],
    )


def _extensions(setting: Setting) -> str:
    denied = [f'        Include "{setting.denylist}"'] if setting.denylist else []
    return block(
        "A certificate without extensions, as `openssl x509 -req` makes by itself, would pass for every purpose;\n"
        "one that was made with care says that it is no CA. A header whose underscores a framework would take for\n"
        "dashes is an attempt to pass for somebody else.",
        [
            'SetEnvIfNoCase "^(X_Client|X-Client_|Client_Cert|Client-Cert_).*" ".+" handfast_spoofed',
            "<Location />",
            "    <RequireAll>",
            "        Require expr \"'CA:FALSE' in PeerExtList('2.5.29.19')\"",
            "        Require not env handfast_spoofed",
            *denied,
            "    </RequireAll>",
            "</Location>",
        ],
    )


def _application(setting: Setting) -> str:
    if not setting.upstream:
        return block("Put your application here; this is a folder.", ['DocumentRoot "/var/www/html"'])
    return block(
        "The identity for the application, in headers that a client cannot set: each one is overwritten or removed.",
        [
            'RequestHeader set X-Client-Verify "%{SSL_CLIENT_VERIFY}s"',
            'RequestHeader set X-Client-Subject "%{SSL_CLIENT_S_DN}s"',
            'RequestHeader set X-Client-Serial "%{SSL_CLIENT_M_SERIAL}s"',
            'RequestHeader set X-Client-Cert "%{SSL_CLIENT_CERT}s"',
            "RequestHeader unset Client-Cert",
            "RequestHeader unset Client-Cert-Chain",
            'RequestHeader set X-Forwarded-Proto "https"',
            "ProxyPreserveHost on",
            f'ProxyPass "/" "http://{setting.upstream}/"',
        ],
    )


_HARNESS = """ServerRoot "{scratch}"
ServerName localhost
PidFile "{scratch}/apache.pid"
DefaultRuntimeDir "{scratch}"
ErrorLog "{scratch}/error.log"
%s
Listen %s
Include "%s"
"""
DEBIAN_MODULES = "/usr/lib/apache2/modules"


def load_modules(names: tuple[str, ...]) -> str:
    """LoadModule lines for modules that are not built in, where Debian has them."""
    return "\n".join(
        f"<IfModule !{name}_module>\nLoadModule {name}_module {DEBIAN_MODULES}/mod_{name}.so\n</IfModule>"
        for name in names
    )


def check(setting: Setting) -> Check:
    """`apache2 -t` on this file alone, with Debian's modules. It does not read the CRLs: handfast does."""
    modules = load_modules(("mpm_event", "socache_shmcb", *MODULES))
    address = f"{setting.listen}:{setting.port}" if setting.listen else str(setting.port)
    harness = RenderedFile("{scratch}/apache.conf", _HARNESS % (modules, address, setting.file(CONFIG)))
    return Check(("apache2", "-t", "-f", "{scratch}/apache.conf"), (harness,))


target = Target(
    name="apache",
    title="Apache httpd",
    group=Group.WEB,
    status=Status.PROVEN,
    render=render,
    check=check,
    executable="apache2",
    packages=("apache2",),
    directory="/etc/apache2/handfast",
    install=(
        "a2enmod ssl headers proxy_http setenvif",
        f"ln -s DIR/{CONFIG} /etc/apache2/sites-available/{CONFIG} && a2ensite apache-mtls",
        "apachectl configtest && apachectl graceful",
    ),
    minimum="2.4.38",
    test="apachectl configtest",
    reload="apachectl graceful",
    kick="apachectl graceful ends idle keep-alive connections; to cut busy ones too: systemctl restart apache2",
    depth="SSLVerifyDepth counts all CA certificates with the root: 2 for issuing CA and root; 1 refuses (AH02040)",
    resumption="off: no tickets, and nothing in a cache lives; with a ticket key file, revoked clients come back",
    broken_crl="configtest does not read the CRL, and a graceful restart with a broken one ends the whole server: "
    "let handfast write the file, or check it with `openssl crl -in FILE -noout -CAfile CA` first",
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.DOWN, BrokenCrl.EMPTY: Harm.DOWN},
    crl=CrlForm.CONCATENATED,
    crl_scope=CrlScope.WHOLE_CHAIN,
    denylist=DenyList(SerialForm.UPPER_HEX, "denied.conf", "Require expr \"%{{SSL_CLIENT_M_SERIAL}} != '{serial}'\""),
    identity=Identity(
        "SSL_CLIENT_S_DN, SSL_CLIENT_M_SERIAL, SSL_CLIENT_CERT",
        "X-Client-Verify, X-Client-Subject, X-Client-Serial, X-Client-Cert (PEM, lines joined by spaces)",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required", "AH02008"),
        Refusal(Case.SELF_SIGNED, "alert unknown ca", "(18)"),
        Refusal(Case.OTHER_CA, "alert unknown ca", "(20)"),
        Refusal(Case.EXPIRED, "alert certificate expired", "(10)"),
        Refusal(Case.NOT_YET_VALID, "alert bad certificate", "(9)"),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate", "(26)"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", "(20)"),
        Refusal(Case.REVOKED, "alert certificate revoked", "(23)"),
        Refusal(Case.BARE, "HTTP 403", "AH01630"),
    ),
    options=(Option("hybrid", "no", "yes: offer the post-quantum group X25519MLKEM768 too (needs OpenSSL 3.5)"),),
)
