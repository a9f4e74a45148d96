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
		fmt.Fprintf(w, "hello %s\n", r.TLS.PeerCertificates[0].Subject)
	})
	server := &http.Server{
		Addr:              "127.0.0.1:8443",
		Handler:           mutual.Admit(greet),
		TLSConfig:         mutual.TLS(),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
