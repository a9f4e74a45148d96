"""NetworkManager: the same Wi-Fi client as a connection profile (nm-settings-keyfile(5))."""

from handfast.targets.contract import (
    CrlForm,
    CrlScope,
    Group,
    Identity,
    IdentityForm,
    Option,
    RenderedFile,
    Setting,
    Status,
    Target,
)


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """One connection profile. NetworkManager reads only those that belong to root and that nobody else can read."""
    name = f"{target.option(setting, 'ssid')}.nmconnection"
    return (RenderedFile(setting.file(name), _profile(setting), 0o600, "the connection profile"),)


def _profile(setting: Setting) -> str:
    ssid = target.option(setting, "ssid")
    return f"""\
# Wi-Fi {ssid} by certificate, written by handfast. Belongs in /etc/NetworkManager/system-connections.
[connection]
id={ssid}
type=wifi

[wifi]
ssid={ssid}

[wifi-security]
key-mgmt=wpa-eap

[802-1x]
eap=tls;
# Said in the clear before TLS; the certificate says who we are.
identity={target.option(setting, "identity")}
client-cert={setting.file("client.pem")}
private-key={setting.file("client.key")}
# The key is in a file without a password: nobody is asked for one.
private-key-password-flags=4
# Only this server of this CA: without both lines any client of the CA could play the access point.
ca-cert={setting.client_ca}
domain-match={";".join(setting.names)}

[ipv4]
method=auto

[ipv6]
method=auto
"""


target = Target(
    name="networkmanager",
    title="NetworkManager (Wi-Fi client)",
    group=Group.NETWORK,
    status=Status.WRITTEN,
    render=render,
    directory="/etc/NetworkManager/handfast",
    install=(
        "put the client's certificate with its intermediates into DIR/client.pem, its key into DIR/client.key",
        "install -m 600 DIR/*.nmconnection /etc/NetworkManager/system-connections/",
        "nmcli connection reload",
    ),
    minimum="1.24",
    executable="nmcli",
    packages=("network-manager",),
    port=1812,
    identity=Identity("the client's own certificate", "in the TLS handshake; `identity` is only a label"),
    refusals=(),
    reload="nmcli connection reload",
    kick="nmcli connection down NAME",
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
