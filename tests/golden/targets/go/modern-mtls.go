// Mutual TLS for www.example.org. Written by handfast.

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
	certificateFile = "/etc/handfast/example/server.pem"
	keyFile         = "/etc/handfast/example/server.key"
	// Who may come: holders of a certificate below these roots. Clients send their intermediates.
	clientCAFile = "/etc/handfast/example/client-ca.pem"
	// One CRL for every CA in the chain; without one of them, or after its end, nobody gets in.
	crlFile = "/etc/handfast/example/crls.pem"
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
		MinVersion:   tls.VersionTLS13,
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
		MinVersion: tls.VersionTLS13,
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
