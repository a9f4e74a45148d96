"""EST by `handfast serve`, asked by Bouncy Castle's client in Java, which gives up where an empty answer has a body."""

import os
import subprocess
from pathlib import Path

import pytest

from handfast.keys.generate import new_secret
from tests.programs import required_program
from tests.serving import PATIENCE, authority_in, opened, running

JARS = [Path(f"/usr/share/java/{name}.jar") for name in ("bcpkix", "bcprov", "bcutil")]
SETTINGS = '[profiles.waiting]\nlike = "device"\napprovals = 1\n'
CLIENT = """
import java.io.FileInputStream;
import java.security.*;
import java.security.cert.*;
import java.util.Collections;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.*;
import org.bouncycastle.est.jcajce.*;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

public class Client {
  static ESTService service;
  static PKCS10CertificationRequest request;

  public static void main(String[] args) throws Exception {
    Security.addProvider(new org.bouncycastle.jce.provider.BouncyCastleProvider());
    var root = (X509Certificate) CertificateFactory.getInstance("X.509")
        .generateCertificate(new FileInputStream(args[1]));
    var trust = JcaJceUtils.getCertPathTrustManager(Collections.singleton(new TrustAnchor(root, null)), null);
    service = new JsseESTServiceBuilder("localhost:" + args[0], trust).withTimeout(20000).build();
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(256);
    var pair = generator.generateKeyPair();
    request = new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=bc-1"), pair.getPublic())
        .build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()));
    System.out.println("cacerts " + service.getCACerts().getCertificateStore().getMatches(null).size());
    System.out.println("csrattrs " + !service.getCSRAttributes().getAttributesResponse().getRequirements().isEmpty());
    enroll(args[2]);
    enroll(args[3]);
    enroll("wrong");
  }

  static void enroll(String secret) {
    try {
      var answer = service.simpleEnroll(false, request, new JcaHttpAuthBuilder("bc", secret.toCharArray()).build());
      if (!answer.isCompleted()) {
        System.out.println("waits");
        return;
      }
      var holder = (X509CertificateHolder) answer.getStore().getMatches(null).iterator().next();
      System.out.println("enrolled " + holder.getSubject());
    } catch (Exception error) {
      System.out.println("refused " + error.getMessage().replaceAll(".*HTTP ", ""));
    }
  }
}
"""


def test_a_java_client_enrolls_waits_and_is_refused(tmp_path: Path) -> None:
    required_program("java")
    missing = [str(jar) for jar in JARS if not jar.exists()]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    authority_in(tmp_path / "ca", SETTINGS)
    tokens = [new_secret("hft_"), new_secret("hft_")]
    (tmp_path / "Client.java").write_text(CLIENT)
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        with opened(service.directory) as authority:
            for token, profile in zip(tokens, ("device", "waiting"), strict=True):
                authority.office.make_token(token, profile, ["bc-1"])
        command = ["java", "-cp", ":".join(map(str, JARS)), tmp_path / "Client.java", str(service.https)]
        done = subprocess.run(
            [*map(str, command), str(service.root), *tokens],
            capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
        )  # fmt: skip

    assert done.stdout.splitlines() == [
        "cacerts 2",
        "csrattrs true",
        "enrolled CN=bc-1",
        "waits",
        "refused Status Code: 401",
    ], done.stderr
