"""Android: a person's certificate in the credential store, for browsers and Wi-Fi; instructions, no file to read."""

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

PAGE = "android.txt"


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """A page for the person. The names of menus differ from maker to maker."""
    network = target.option(setting, "ssid")
    lines = [
        f"Your certificate for {setting.name}, on Android",
        "",
        "You have two files, root.pem and alice.p12, and a password. They came by different ways: that is on purpose.",
        "",
        "1. Settings, search for: certificate. Choose: CA certificate. Pick root.pem. Android warns that somebody",
        "   could read your traffic: it says so of every root that is not its own.",
        "2. The same place, choose: VPN and app user certificate. Pick alice.p12, and give the password.",
        f"3. Open https://{setting.name} in Chrome. It asks which certificate to show: yours.",
        "",
        "Apps other than browsers do not trust a root that you added, unless their makers allowed it.",
    ]
    if network:
        lines += [
            "",
            f"Wi-Fi {network}:",
            "1. The same place, choose: Wi-Fi certificate. Pick alice.p12 once more, then root.pem.",
            f"2. Join {network}. EAP method: TLS. CA certificate: the root. Domain: {setting.name}.",
            "   User certificate: yours. Identity: your name, as in the certificate.",
            "   Never leave the domain empty: any server below that root could then pose as this network.",
        ]
    return (RenderedFile(setting.file(PAGE), "\n".join(lines) + "\n", comment="for the person, on paper or by mail"),)


target = Target(
    name="android",
    title="Android",
    group=Group.DEVICE,
    status=Status.WRITTEN,
    render=render,
    directory="/opt/handfast/android",
    install=(
        "handfast export alice --format p12 --out alice.p12 (before Android 9: --format p12-legacy)",
        f"give the person alice.p12, root.pem and {PAGE}, and the password by another way",
    ),
    minimum="Android 7",
    kick="Settings, Clear credentials; the server decides who gets in",
    crl=CrlForm.NONE,
    crl_scope=CrlScope.NOBODY,
    identity_form=IdentityForm.NONE,
    identity=Identity("the credential store", "the TLS handshake, or EAP-TLS"),
    refusals=(),
    options=(Option("ssid", "", "the name of a Wi-Fi network to join by EAP-TLS with this certificate"),),
)
