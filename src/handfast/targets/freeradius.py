"""FreeRADIUS 3.2: EAP-TLS for Wi-Fi (WPA Enterprise) and switch ports (RFC 5216, RFC 9190)."""

from handfast.targets import mozilla
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    Check,
    CrlForm,
    CrlScope,
    Group,
    Harm,
    Identity,
    Level,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)
from handfast.targets.layout import block

MODULE, SITE = "eap", "site"
_TAB = "\t\t"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The EAP module, which does EAP-TLS only, and the virtual server that uses it."""
    return (
        RenderedFile(
            setting.file(MODULE), _module(setting), 0o640, "the module eap, in place of the one that is there"
        ),
        RenderedFile(setting.file(SITE), _site(setting), 0o640, "the virtual server that access points ask"),
    )


def _module(setting: Setting) -> str:
    parts = (
        block(
            "Our own certificate, followed by its intermediates, and its key.",
            [f"certificate_file = {setting.certificate}", f"private_key_file = {setting.key}"],
            indent=_TAB,
        ),
        block(
            "Who may come: holders of a certificate below these roots. Roots only, and our own: the system's bundle\n"
            "would let in everybody with a client certificate of any public CA, and an intermediate CA here ends\n"
            "the chain too early for check_all_crl.\n"
            "The CRL of every CA stands in the same file. It is read at the start only: a reload does not do.",
            [f"ca_file = {setting.client_ca}", "check_crl = yes", "check_all_crl = yes"],
            indent=_TAB,
        ),
        block(f"Mozilla Server Side TLS 6.0, {setting.level}.", _tls(setting.level), indent=_TAB),
        block(
            "A resumed session is not checked against the CRL or the clock: every login is a full handshake.",
            ["cache {", "\tenable = no", "}"],
            indent=_TAB,
        ),
    )
    body = "".join(parts).rstrip("\n")
    head = f"# EAP-TLS for {setting.name}, by handfast: clients come in by certificate only.\n"
    return f"{head}eap {{\n\tdefault_eap_type = tls\n\n\ttls-config handfast {{\n{body}\n\t}}\n\n{_TLS_METHOD}}}\n"


_TLS_METHOD = "\ttls {\n\t\ttls = handfast\n\t}\n"


def _tls(level: Level) -> list[str]:
    if level is Level.MODERN:
        return ['tls_min_version = "1.3"', 'tls_max_version = "1.3"']
    return ['tls_min_version = "1.2"', 'tls_max_version = "1.3"', f'cipher_list = "{":".join(mozilla.CIPHERS)}"']


def _site(setting: Setting) -> str:
    return f"""\
# The virtual server for access points and switches, which clients.conf names with their secrets.
server handfast {{
	listen {{
		type = auth
		ipaddr = {setting.listen or "*"}
		port = {setting.port}
	}}

	authorize {{
		eap
	}}

	authenticate {{
		eap
	}}

	post-auth {{
		# The name that a client gives before TLS is only a claim: the access point is told the certificate's.
		update reply {{
			&User-Name := "%{{TLS-Client-Cert-Common-Name}}"
		}}

		Post-Auth-Type REJECT {{
			# Ends the conversation on the client's side as well.
			eap
		}}
	}}
}}
"""


# FreeRADIUS keeps the alert to itself: all refusals look alike to the client.
_BAD = "EAP failure"

# What Debian's radiusd.conf does around the two files, reduced to what a test of them needs.
_HARNESS = """\
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {scratch}
run_dir = {scratch}
max_requests = 1024
modules {
	$INCLUDE %(module)s
}
$INCLUDE %(site)s
"""


def check(setting: Setting) -> Check:
    """`freeradius -C` on the two files alone, wherever the system's radiusd.conf is."""
    paths = {"module": setting.file(MODULE), "site": setting.file(SITE)}
    harness = RenderedFile("{scratch}/radiusd.conf", _HARNESS % paths)
    return Check(("freeradius", "-C", "-l", "stdout", "-d", "{scratch}", "-n", "radiusd"), (harness,))


target = Target(
    name="freeradius",
    title="FreeRADIUS (Wi-Fi and 802.1X)",
    group=Group.NETWORK,
    status=Status.PROVEN,
    render=render,
    check=check,
    directory="/etc/freeradius/3.0/handfast",
    install=(
        "chgrp -R freerad DIR && chmod 640 DIR/server.key",
        f"ln -sf DIR/{MODULE} /etc/freeradius/3.0/mods-enabled/eap",
        f"rm /etc/freeradius/3.0/sites-enabled/default && ln -s DIR/{SITE} /etc/freeradius/3.0/sites-enabled/handfast",
        "name the access points and their secrets in /etc/freeradius/3.0/clients.conf",
        "freeradius -XC && systemctl restart freeradius",
    ),
    minimum="3.2.1",
    executable="freeradius",
    packages=("freeradius",),
    port=1812,
    identity=Identity(
        "TLS-Client-Cert-Common-Name, TLS-Client-Cert-Serial (lower-case hex), TLS-Client-Cert-Subject-Alt-Name-Dns",
        "User-Name of the answer, which access points put in their accounting",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "EAP failure: no other method is offered", "Login incorrect"),
        Refusal(Case.SELF_SIGNED, _BAD, "error 18 : self-signed certificate"),
        Refusal(Case.OTHER_CA, _BAD, "error 20 : unable to get local issuer certificate"),
        Refusal(Case.NO_INTERMEDIATE, _BAD, "error 20 : unable to get local issuer certificate"),
        Refusal(Case.EXPIRED, _BAD, "error 10 : certificate has expired"),
        Refusal(Case.NOT_YET_VALID, _BAD, "error 9 : certificate is not yet valid"),
        Refusal(Case.SERVER_ONLY, _BAD, "error 26 : unsuitable certificate purpose"),
        Refusal(Case.REVOKED, _BAD, "error 23 : certificate revoked"),
    ),
    test="freeradius -XC",
    reload="systemctl restart freeradius",
    kick="disconnect the client at its access point, or by a Disconnect-Request (RFC 5176): echo 'User-Name=NAME' |"
    " radclient ACCESS-POINT:3799 disconnect SECRET",
    depth="no limit of its own",
    resumption="off: the cache is not enabled; with one, revoked clients come back, even after a restart",
    broken_crl=(
        "a truncated one may keep it from starting, an empty or expired one refuses everybody, and freeradius -XC does"
        " not always notice. So it is checked before it is put in place, by handfast, and never edited by hand"
    ),
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.DOWN, BrokenCrl.EMPTY: Harm.LOCKED_OUT},
    crl=CrlForm.IN_CA_FILE,
    crl_scope=CrlScope.WHOLE_CHAIN,
    weaknesses=(
        Weakness(
            Case.BARE,
            "FreeRADIUS takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; refuse the TLS-Client-Cert-Serial of one that exists"
            " in post-auth",
        ),
    ),
)
