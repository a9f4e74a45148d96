"""wpa_supplicant: a client of Wi-Fi or 802.1X that comes in by certificate, and checks whom it talks to."""

from handfast.targets.contract import (
    CrlForm,
    CrlScope,
    Group,
    Identity,
    IdentityForm,
    Level,
    Option,
    RenderedFile,
    Setting,
    Status,
    Target,
)

CONFIG = "network.conf"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One network block."""
    return (RenderedFile(setting.file(CONFIG), _network(setting), 0o600, "the network block"),)


def _network(setting: Setting) -> str:
    ssid = target.option(setting, "ssid")
    versions = "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1"
    if setting.level is Level.MODERN:
        versions += " tls_disable_tlsv1_2=1"
    return f"""\
# Wi-Fi {ssid} by certificate, written by handfast. Belongs in /etc/wpa_supplicant/wpa_supplicant.conf.
network={{
    ssid="{ssid}"
    key_mgmt=WPA-EAP
    eap=TLS

    # Said in the clear before TLS; the certificate says who we are.
    identity="{target.option(setting, "identity")}"
    client_cert="{setting.file("client.pem")}"
    private_key="{setting.file("client.key")}"

    # Only this server of this CA: without both lines any client of the CA could play the access point.
    ca_cert="{setting.client_ca}"
    domain_match="{";".join(setting.names)}"

    # TLS 1.3 is off unless it is asked for.
    phase1="{versions} tls_disable_tlsv1_3=0"
}}
"""


target = Target(
    name="wpa-supplicant",
    title="wpa_supplicant (Wi-Fi client)",
    group=Group.NETWORK,
    status=Status.CHECKED,
    render=render,
    directory="/etc/wpa_supplicant/handfast",
    install=(
        "put the client's certificate with its intermediates into DIR/client.pem, its key into DIR/client.key",
        f"append DIR/{CONFIG} to /etc/wpa_supplicant/wpa_supplicant.conf",
        "wpa_cli reconfigure",
    ),
    minimum="2.10",
    executable="wpa_supplicant",
    packages=("wpasupplicant",),
    port=1812,
    identity=Identity("the client's own certificate", "in the TLS handshake; `identity` is only a label"),
    refusals=(),
    reload="wpa_cli reconfigure",
    kick="wpa_cli disconnect",
    depth="no limit of its own",
    resumption="left to the server, which handfast's FreeRADIUS and hostapd do not offer",
    broken_crl="it reads none",
    identity_form=IdentityForm.NONE,
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    options=(
        Option("ssid", "example", "the name of the network"),
        Option("identity", "anonymous", "the label that is said in the clear"),
    ),
)
