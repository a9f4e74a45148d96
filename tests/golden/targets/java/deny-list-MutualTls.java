// Mutual TLS for www.example.org: java MutualTls.java. Written by handfast. It greets: put your application into `application`.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import java.util.concurrent.Executors;
import javax.net.ssl.*;

public class MutualTls {
    static final String CERTIFICATE = "/etc/handfast/example/server.pem";
    static final String KEY = "/etc/handfast/example/server.key";
    // Who may come: holders of a certificate below these roots. Clients send their intermediates.
    static final String CLIENT_CA = "/etc/handfast/example/client-ca.pem";
    // One CRL for every CA in the chain: without one of them, or after its end, nobody gets in.
    static final String CRL = "/etc/handfast/example/crls.pem";
    static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

    static List<X509Certificate> certificates(String file) throws IOException, CertificateException {
        List<X509Certificate> found = new ArrayList<>();
        try (InputStream in = new FileInputStream(file)) {
            for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                found.add((X509Certificate) one);
            }
        }
        return found;
    }

    static PrivateKey key(String algorithm) throws IOException, GeneralSecurityException {
        String pem = Files.readString(Path.of(KEY)).replaceAll("-----[^-]+-----", "");
        byte[] der = Base64.getMimeDecoder().decode(pem);
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    static KeyManager[] ours() throws IOException, GeneralSecurityException {
        List<X509Certificate> chain = certificates(CERTIFICATE);
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        char[] password = new char[0];
        PrivateKey key = key(chain.get(0).getPublicKey().getAlgorithm());
        store.setKeyEntry("own", key, password, chain.toArray(new Certificate[0]));
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(store, password);
        return factory.getKeyManagers();
    }

    // Trust as the files say it at this moment: they are read again when one of them has changed.
    static class Clients extends X509ExtendedTrustManager {
        private String seen = "";
        private X509ExtendedTrustManager trust;

        Clients() throws IOException, GeneralSecurityException {
            seen = changed();
            trust = load();
        }

        private static String changed() throws IOException {
            return Files.getLastModifiedTime(Path.of(CLIENT_CA)) + " " + Files.getLastModifiedTime(Path.of(CRL));
        }

        private static X509ExtendedTrustManager load() throws IOException, GeneralSecurityException {
            Set<TrustAnchor> roots = new HashSet<>();
            for (X509Certificate root : certificates(CLIENT_CA)) roots.add(new TrustAnchor(root, null));
            Collection<? extends CRL> crls;
            try (InputStream in = new FileInputStream(CRL)) {
                crls = CertificateFactory.getInstance("X.509").generateCRLs(in);
            }
            if (crls.isEmpty()) throw new CRLException("no CRL in " + CRL);
            PKIXBuilderParameters wanted = new PKIXBuilderParameters(roots, new X509CertSelector());
            wanted.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
            PKIXRevocationChecker checker =
                (PKIXRevocationChecker) CertPathBuilder.getInstance("PKIX").getRevocationChecker();
            // CRLs from the file only: nothing is fetched while a client waits.
            checker.setOptions(EnumSet.of(
                PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK));
            wanted.addCertPathChecker(checker);
            TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(new CertPathTrustManagerParameters(wanted));
            return (X509ExtendedTrustManager) factory.getTrustManagers()[0];
        }

        private synchronized X509ExtendedTrustManager current() {
            try {
                String now = changed();
                if (!now.equals(seen)) {
                    seen = now;
                    trust = load();
                }
            } catch (IOException | GeneralSecurityException error) {
                System.err.println("files not read, those of before stay: " + error);
            }
            return trust;
        }

        void check(X509Certificate[] chain, String kind) throws CertificateException {
            try {
                // A certificate without extensions passes for every purpose.
                List<String> uses = chain[0].getExtendedKeyUsage();
                if (uses == null || !uses.contains(CLIENT_AUTH)) {
                    throw new CertificateException("certificate not made for clients");
                }
                current().checkClientTrusted(chain, kind);
            } catch (CertificateException error) {
                Throwable reason = error;
                while (reason.getCause() != null) reason = reason.getCause();
                System.err.println("refused: " + reason.getMessage());
                throw error;
            }
        }

        @Override public void checkClientTrusted(X509Certificate[] chain, String kind) throws CertificateException {
            check(chain, kind);
        }

        @Override public void checkClientTrusted(X509Certificate[] chain, String kind, java.net.Socket socket)
            throws CertificateException {
            check(chain, kind);
        }

        @Override public void checkClientTrusted(X509Certificate[] chain, String kind, SSLEngine engine)
            throws CertificateException {
            check(chain, kind);
        }

        @Override public void checkServerTrusted(X509Certificate[] chain, String kind) throws CertificateException {
            throw new CertificateException("this is a server");
        }

        @Override public void checkServerTrusted(X509Certificate[] chain, String kind, java.net.Socket socket)
            throws CertificateException {
            throw new CertificateException("this is a server");
        }

        @Override public void checkServerTrusted(X509Certificate[] chain, String kind, SSLEngine engine)
            throws CertificateException {
            throw new CertificateException("this is a server");
        }

        @Override public X509Certificate[] getAcceptedIssuers() {
            return current().getAcceptedIssuers();
        }
    }

    static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    static void application(HttpExchange exchange, X509Certificate client) throws IOException {
        answer(exchange, 200, "hello " + client.getSubjectX500Principal().getName() + "\n");
    }

    public static void main(String[] arguments) throws IOException, GeneralSecurityException {
        Clients clients = new Clients();
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(ours(), new TrustManager[] {clients}, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress("0.0.0.0", 8443), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            @Override public void configure(HttpsParameters parameters) {
                SSLParameters wanted = context.getDefaultSSLParameters();
                wanted.setNeedClientAuth(true);
                wanted.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
                parameters.setSSLParameters(wanted);
            }
        });
        server.createContext("/", exchange -> {
            X509Certificate client;
            try {
                // Java resumes sessions without a look at the certificate. So it is judged at every request: this also
                // ends connections from before a revocation.
                Certificate[] chain = ((HttpsExchange) exchange).getSSLSession().getPeerCertificates();
                X509Certificate[] shown = Arrays.copyOf(chain, chain.length, X509Certificate[].class);
                clients.check(shown, "UNKNOWN");
                client = shown[0];
            } catch (CertificateException | SSLPeerUnverifiedException error) {
                answer(exchange, 403, "certificate refused\n");
                return;
            }
            application(exchange, client);
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
    }
}
