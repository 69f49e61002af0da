package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
)

// bodySize is that of the upstream's answer.
const bodySize = 1024

// damaged is a token that nobody takes.
const damaged = "Bearer damaged"

// serveUpstream answers everything with the same kilobyte, as cheaply as it can:
// it shares its core with the client. Below /introspect it is the one that
// auth_request asks: it answers with the token for the backend.
func serveUpstream(at string) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	body := `{"items":[` + strings.Repeat(" ", bodySize-12) + `]}`
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + body)
	allowed := []byte("HTTP/1.1 204 No Content\r\nX-Inner: " + strings.Repeat("x", 600) + "\r\n\r\n")
	refused := []byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			for r := bufio.NewReader(c); ; {
				head, err := readHead(r)
				if err != nil {
					return
				}
				out := answer
				if bytes.HasPrefix(head, []byte("GET /introspect")) {
					if out = allowed; bytes.Contains(head, []byte(damaged)) {
						out = refused
					}
				}
				if _, err := c.Write(out); err != nil {
					return
				}
			}
		}()
	}
}

// readHead returns a head of 4 KiB at most, and takes it from r.
func readHead(r *bufio.Reader) ([]byte, error) {
	for n := 1; ; {
		b, err := r.Peek(n)
		if err != nil {
			return nil, err
		}
		b, _ = r.Peek(r.Buffered())
		if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
			_, err := r.Discard(i + 4)
			return b[:i+4], err
		}
		n = len(b) + 1
	}
}

// serveReverseProxy is what a Go programmer writes first, with a pool that is
// large enough. It checks nothing.
func serveReverseProxy(at, dir, to string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	s := &http.Server{
		Addr: at,
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(u)
				r.SetXForwarded()
			},
			Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
		},
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
	return s.ListenAndServeTLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}
