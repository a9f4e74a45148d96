"""Go's net/http: a tls.Config that looks up the CRLs at every handshake and every request."""

from json import dumps

from handfast.targets.contract import Case, Group, Identity, Level, Refusal, RenderedFile, Setting, Status, Target
from handfast.targets.python_tls import fill

TLS, MAIN = "mtls.go", "main.go"

_TLS = """\
// Mutual TLS for @NAME@. Written by handfast.

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	certificateFile = @CERTIFICATE@
	keyFile         = @KEY@
	// Who may come: holders of a certificate below these roots. Clients send their intermediates.
	clientCAFile = @CLIENT_CA@
	// One CRL for every CA in the chain; without one of them, or after its end, nobody gets in.
	crlFile = @CRL@
)

// mutualTLS is what the files say; it is read again when one of them has changed.
type mutualTLS struct {
	lock   sync.Mutex
	seen   string
	config *tls.Config
	crls   []*x509.RevocationList
}

func newMutualTLS() (*mutualTLS, error) {
	m := &mutualTLS{seen: changed()}
	return m, m.load()
}

func changed() string {
	seen := ""
	for _, name := range []string{certificateFile, keyFile, clientCAFile, crlFile} {
		if info, err := os.Stat(name); err == nil {
			seen += fmt.Sprint(info.ModTime().UnixNano(), info.Size(), " ")
		}
	}
	return seen
}

func (m *mutualTLS) load() error {
	pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err != nil {
		return err
	}
	roots, err := os.ReadFile(clientCAFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return errors.New("no client CA in " + clientCAFile)
	}
	crls, err := readCRLs()
	if err != nil {
		return err
	}
	m.crls = crls
	m.config = &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   @VERSION@,
		NextProtos:   []string{"h2", "http/1.1"},
		// A resumed session would not be looked up in a chain that has changed since.
		SessionTicketsDisabled: true,
		// Called for resumed sessions too, which VerifyPeerCertificate is not.
		VerifyConnection: m.verify,
	}
	return nil
}

func readCRLs() ([]*x509.RevocationList, error) {
	rest, err := os.ReadFile(crlFile)
	if err != nil {
		return nil, err
	}
	var crls []*x509.RevocationList
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		crl, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		crls = append(crls, crl)
	}
	// pem.Decode passes over a piece of a CRL without a word.
	if len(crls) == 0 || len(bytes.TrimSpace(rest)) != 0 {
		return nil, errors.New(crlFile + " is empty or cut off")
	}
	return crls, nil
}

// current gives what is in force; files that do not load leave what was before.
func (m *mutualTLS) current() (*tls.Config, []*x509.RevocationList) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if now := changed(); now != m.seen {
		m.seen = now
		if err := m.load(); err != nil {
			log.Printf("files not read, those of before stay: %v", err)
		}
	}
	return m.config, m.crls
}

// TLS is the configuration for a server: every connection gets the newest.
func (m *mutualTLS) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: @VERSION@,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			config, _ := m.current()
			return config, nil
		},
	}
}

func (m *mutualTLS) verify(state tls.ConnectionState) error {
	err := m.check(state)
	if err != nil {
		log.Printf("refused: %v", err)
	}
	return err
}

func (m *mutualTLS) check(state tls.ConnectionState) error {
	if len(state.VerifiedChains) == 0 {
		return errors.New("no certificate")
	}
	chain := state.VerifiedChains[0]
	// Go takes a certificate without extensions for good for every purpose.
	if !slices.Contains(chain[0].ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return errors.New("certificate not made for clients")
	}
	_, crls := m.current()
	now := time.Now()
	for i, certificate := range chain[:len(chain)-1] {
		if now.After(certificate.NotAfter) {
			return errors.New("certificate expired")
		}
		if err := notRevoked(certificate, chain[i+1], crls, now); err != nil {
			return err
		}
	}
	return nil
}

func notRevoked(certificate, issuer *x509.Certificate, crls []*x509.RevocationList, now time.Time) error {
	for _, crl := range crls {
		if crl.CheckSignatureFrom(issuer) != nil || now.After(crl.NextUpdate) {
			continue
		}
		for _, entry := range crl.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(certificate.SerialNumber) == 0 {
				return errors.New("certificate revoked")
			}
		}
		return nil
	}
	return fmt.Errorf("no CRL in force of %s", issuer.Subject)
}

// Admit asks at every request, so that connections from before a revocation end as well.
func (m *mutualTLS) Admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || m.verify(*r.TLS) != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "certificate refused", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
"""

_MAIN = """\
// Put your application here; this one greets.

package main

import (
	"fmt"
	"log"
	"net/http"
	"time"
)

func main() {
	mutual, err := newMutualTLS()
	if err != nil {
		log.Fatal(err)
	}
	greet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\\n", r.TLS.PeerCertificates[0].Subject)
	})
	server := &http.Server{
		Addr:              "@LISTEN@:@PORT@",
		Handler:           mutual.Admit(greet),
		TLSConfig:         mutual.TLS(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
"""


def render(setting: Setting) -> tuple[RenderedFile, ...]:
    """The TLS of the server, and a server that greets."""
    words = {
        "NAME": setting.name,
        "CERTIFICATE": dumps(setting.certificate),
        "KEY": dumps(setting.key),
        "CLIENT_CA": dumps(setting.client_ca),
        "CRL": dumps(setting.crl),
        "VERSION": "tls.VersionTLS13" if setting.level is Level.MODERN else "tls.VersionTLS12",
        "LISTEN": setting.listen,
        "PORT": str(setting.port),
    }
    return (
        RenderedFile(setting.file(TLS), fill(_TLS, words), comment="the TLS of the server"),
        RenderedFile(setting.file(MAIN), fill(_MAIN, words), comment="a server that greets: yours"),
    )


target = Target(
    name="go",
    title="Go (net/http)",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory="/opt/application",
    port=8443,
    packages=("golang-go",),
    install=(f"cd DIR && go build -o server {TLS} {MAIN}", "DIR/server"),
    minimum="1.21",
    reload="none needed: every new connection and request looks whether the files have changed",
    kick="none needed: the CRLs are asked at every request, on open connections too",
    depth="none; Go has no limit to set",
    resumption="off, and chain, clock and CRLs are asked for every connection and request",
    broken_crl="a file that does not parse, is empty or cut off is logged, and what was read before stays in force; "
    "one that has ended, is forged or misses a CA's, refuses all",
    identity=Identity("r.TLS.PeerCertificates[0]", "the same, to every handler"),
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required (TLS 1.2: handshake failure)"),
        Refusal(Case.SELF_SIGNED, "alert unknown ca"),
        Refusal(Case.OTHER_CA, "alert unknown ca"),
        Refusal(Case.EXPIRED, "alert certificate expired"),
        Refusal(Case.NOT_YET_VALID, "alert certificate expired"),
        Refusal(Case.SERVER_ONLY, "alert bad certificate"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca"),
        Refusal(Case.BARE, "alert bad certificate", "certificate not made for clients"),
        Refusal(Case.REVOKED, "alert bad certificate", "certificate revoked"),
    ),
)
