"""strongSwan 5.9: an IPsec gateway whose clients come in by certificate (IKEv2, RFC 7296)."""

from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    CrlForm,
    CrlScope,
    Group,
    Harm,
    Identity,
    Option,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
    Weakness,
)

CONFIG = "connection.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The connection, for swanctl."""
    return (RenderedFile(setting.file(CONFIG), _config(setting), comment="the connection; certificates go beside it"),)


def _config(setting: Setting) -> str:
    local = f"    local_addrs = {setting.listen}\n" if setting.listen else ""
    return f"""\
# IKEv2 gateway {setting.name}, by handfast: clients come in by certificate only.
connections {{
  handfast {{
    version = 2
{local}    # Elliptic curves and AEAD only, as in TLS 1.3.
    proposals = aes256gcm16-prfsha384-ecp384, aes128gcm16-prfsha256-ecp256, aes128gcm16-prfsha256-x25519
    pools = clients
    # Clients that vanish are noticed, and their addresses come back.
    dpd_delay = 30s

    local {{
      auth = pubkey
      certs = {setting.certificate}
      id = {setting.name}
    }}

    remote {{
      auth = pubkey
      # Only below these roots, whatever other CAs swanctl has loaded.
      cacerts = {setting.client_ca}
      # Without a CRL that is in force nobody gets in; the default lets everybody in then.
      revocation = strict
    }}

{_tunnel(setting)}  }}
}}

pools {{
  clients {{
    addrs = {target.option(setting, "pool")}
  }}
}}
"""


def _tunnel(setting: Setting) -> str:
    return f"""\
    children {{
      net {{
        local_ts = {target.option(setting, "network")}
        esp_proposals = aes256gcm16-ecp384, aes128gcm16-ecp256, aes128gcm16-x25519
      }}
    }}
"""


_FAILED = "AUTHENTICATION_FAILED"

target = Target(
    name="strongswan",
    title="strongSwan (IPsec)",
    group=Group.NETWORK,
    status=Status.PROVEN,
    render=render,
    directory="/etc/swanctl/handfast",
    install=(
        f"ln -s DIR/{CONFIG} /etc/swanctl/conf.d/handfast.conf",
        "ln -s DIR/server.key /etc/swanctl/private/handfast.key",
        "ln -s DIR/client-ca.pem /etc/swanctl/x509ca/handfast-root.pem",
        "put the certificate of the issuing CA into /etc/swanctl/x509ca too: the gateway sends it with its own",
        "rmdir /etc/swanctl/x509crl && ln -s DIR/crls /etc/swanctl/x509crl",
        "swanctl --load-all",
    ),
    minimum="5.9.8",
    executable="swanctl",
    packages=("charon-systemd", "strongswan-swanctl", "libstrongswan-standard-plugins"),
    port=500,
    identity=Identity(
        "the IKE identity, which must be the subject or a subject alternative name of the certificate",
        "PLUTO_PEER_ID of updown scripts, vici events, the log",
    ),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, _FAILED, "N(AUTH_FAILED)"),
        Refusal(Case.SELF_SIGNED, _FAILED, "no trusted"),
        Refusal(Case.OTHER_CA, _FAILED, "no trusted"),
        Refusal(Case.EXPIRED, _FAILED, "certificate invalid (valid from"),
        Refusal(Case.NOT_YET_VALID, _FAILED, "certificate invalid (valid from"),
        Refusal(Case.REVOKED, _FAILED, "certificate was revoked on"),
    ),
    reload="swanctl --load-creds --clear --noprompt",
    kick="swanctl --terminate --ike handfast; one client: swanctl --list-sas, then swanctl --terminate --ike-id NUMBER",
    depth="no limit that matters (the chain may have 7 certificates)",
    resumption="never: IKEv2 session resumption (RFC 5723) is not in strongSwan",
    broken_crl=(
        "a file that cannot be read is left out at loading, and strict then refuses everybody whose CA lacks a CRL in"
        " force. So files are checked before they are put in place, by handfast, which replaces each as a whole"
    ),
    harms={**USUAL_HARMS, BrokenCrl.TRUNCATED: Harm.LOCKED_OUT, BrokenCrl.EMPTY: Harm.LOCKED_OUT},
    crl=CrlForm.DIRECTORY,
    crl_scope=CrlScope.WHOLE_CHAIN,
    weaknesses=(
        Weakness(
            Case.BARE,
            "strongSwan takes a certificate without extensions for good for every purpose",
            "sign with handfast only, which never leaves them out; revoke one that exists",
        ),
        Weakness(
            Case.SERVER_ONLY,
            "strongSwan does not look at the extended key usage of clients",
            "let servers and clients have issuing CAs of their own, and name the clients' alone in cacerts",
        ),
        Weakness(
            Case.NO_INTERMEDIATE,
            "the gateway has the issuing CA itself, to send it: such a client is whom it says it is",
            "none is needed: the chain is checked all the same",
        ),
    ),
    options=(
        Option("network", "0.0.0.0/0", "what clients reach through the tunnel"),
        Option("pool", "10.9.0.0/24", "the addresses that clients get"),
    ),
)
