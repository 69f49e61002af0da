package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"sallyport/internal/gateway"
)

// apiBackend is what the backend of an API is told, and how.
type apiBackend struct {
	Protocol         string              `yaml:"protocol" enum:"http1,h2,h2c" example:"h2c" doc:"What the backend speaks: http1 HTTP/1.1, as without the setting, h2 HTTP/2 over TLS, h2c HTTP/2 without TLS. gRPC needs one of the last two; WebSockets need the first."`
	InnerHeader      string              `yaml:"inner_header" example:"X-Internal-Jwt" doc:"Header that carries the inner token, without a scheme. Nothing of a client that a backend could take for it is passed on. Without it, Authorization with Bearer."`
	UpstreamTLS      upstreamTLSConfig   `yaml:"upstream_tls" doc:"How an https backend is known, and how the gateway proves itself there."`
	UpstreamTimeouts upstreamTimesConfig `yaml:"upstream_timeouts" doc:"How long the backend is waited for."`
	MaxBodyMiB       int                 `yaml:"max_body_mib" example:"512" doc:"Largest request body in MiB; 10 if it is not set. Bodies are passed on as they come and never kept."`
	AllowSetCookie   bool                `yaml:"allow_set_cookie" example:"false" doc:"Let the backend set cookies for this host, and send them back to it. Not those with a Domain, nor with names that begin with two underscores."`
	ResponseHeaders  []string            `yaml:"response_headers" example:"[Clear-Site-Data]" doc:"Headers that the gateway would take from answers, because they speak for the whole host, and that this backend may send: docs/guide/protect-an-api.md lists them."`
	Redirects        []string            `yaml:"redirects" example:"[https://pay.example.com]" doc:"Exact origins that answers may lead to. Other redirects than within the API are refused."`
	CORSExpose       []string            `yaml:"cors_expose" example:"[X-Total-Count]" doc:"Headers of answers that scripts of cors_origins may read, beside the usual ones."`
	CORSMaxAge       duration            `yaml:"cors_max_age" example:"10m" doc:"How long a browser remembers what it was allowed; at most 2h."`
}

type upstreamTLSConfig struct {
	CAFile     string `yaml:"ca_file" example:"backends-ca.pem" doc:"File with the certificate authorities of backends, PEM. With it, those of the system count no more."`
	CertFile   string `yaml:"cert_file" example:"gateway-client.pem" doc:"File with the certificate that the gateway shows to the backend, PEM, with intermediates."`
	KeyFile    string `yaml:"key_file" example:"gateway-client.key" doc:"File with its key, PEM."`
	ServerName string `yaml:"server_name" example:"catalog.internal" doc:"Name that the certificate of the backend must have, where it is not the host of upstream."`
}

type upstreamTimesConfig struct {
	Connect duration `yaml:"connect" example:"2s" doc:"Until there is a connection; 5s if it is not set."`
	Answer  duration `yaml:"answer" example:"10s" doc:"Until an answer begins; 30s if it is not set."`
	Idle    duration `yaml:"idle" example:"1m" doc:"Between two parts of an answer, or of a large upload; 1m if it is not set, and then without a limit for event streams and gRPC."`
}

func (a *apiBackend) gateway() gateway.Backend {
	return gateway.Backend{
		Protocol: gateway.Protocol(a.Protocol), InnerHeader: a.InnerHeader, MaxBodyBytes: int64(a.MaxBodyMiB) << 20,
		ConnectTimeout: a.UpstreamTimeouts.Connect.std(), AnswerTimeout: a.UpstreamTimeouts.Answer.std(), IdleTimeout: a.UpstreamTimeouts.Idle.std(),
		Cookies: a.AllowSetCookie, Says: a.ResponseHeaders, Redirects: a.Redirects,
		ExposeHeaders: a.CORSExpose, PreflightAge: a.CORSMaxAge.std(),
	}
}

var errNoCertificate = errors.New("no certificate in it")

// upstreamTLS reads how a backend is known; nil if the system knows.
func (c *config) upstreamTLS(a *apiConfig) (*tls.Config, error) {
	u := &a.UpstreamTLS
	if *u == (upstreamTLSConfig{}) {
		return nil, nil
	}
	out := &tls.Config{ServerName: u.ServerName, MinVersion: tls.VersionTLS12}
	if u.CAFile != "" {
		text, err := os.ReadFile(c.file(u.CAFile))
		if err != nil {
			return nil, fmt.Errorf("read upstream_tls.ca_file of %s: %w", a.Name, err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read upstream_tls.ca_file of %s: %w", a.Name, errNoCertificate)
		}
	}
	if u.CertFile != "" || u.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.file(u.CertFile), c.file(u.KeyFile))
		if err != nil {
			return nil, fmt.Errorf("read upstream_tls.cert_file of %s: %w", a.Name, err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

// clientCertificateProblem is what is wrong with the certificate that the gateway
// shows to a backend, or "".
func clientCertificateProblem(conf *tls.Config, now time.Time) string {
	if len(conf.Certificates) == 0 {
		return ""
	}
	leaf := conf.Certificates[0].Leaf
	switch {
	case leaf == nil:
		return "cannot be read"
	case now.After(leaf.NotAfter):
		return "has expired"
	case now.Before(leaf.NotBefore):
		return "is not valid yet"
	}
	if len(leaf.ExtKeyUsage) == 0 {
		return ""
	}
	for _, use := range leaf.ExtKeyUsage {
		if use == x509.ExtKeyUsageClientAuth || use == x509.ExtKeyUsageAny {
			return ""
		}
	}
	return "is not for clients: make one with the extended key usage clientAuth"
}
