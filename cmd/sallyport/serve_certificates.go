package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/certificates"
)

// expiries are when the certificates of the listeners end, by host.
type expiries struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (e *expiries) set(host string, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.until == nil {
		e.until = map[string]time.Time{}
	}
	e.until[host] = until
}

// soonest is when the first of them ends; zero if there is none.
func (e *expiries) soonest() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	var first time.Time
	for _, until := range e.until {
		if !until.IsZero() && (first.IsZero() || until.Before(first)) {
			first = until
		}
	}
	return first
}

// certificateEnds is when the first certificate of the listeners ends, 0 if there is none.
func (n *node) certificateEnds() float64 {
	if until := n.expiries.soonest(); !until.IsZero() {
		return float64(until.Unix())
	}
	return 0
}

// leafOf is the certificate itself.
func leafOf(cert *tls.Certificate) *x509.Certificate {
	if cert.Leaf != nil || len(cert.Certificate) == 0 {
		return cert.Leaf
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

const (
	alarmBefore = 14 * 24 * time.Hour // of a certificate that somebody has to renew by hand
	alarmEvery  = 12 * time.Hour
)

// watchCertificates says when a certificate from a file is about to end, or how those of
// the authority stand, until ctx ends.
func (n *node) watchCertificates(ctx context.Context, work *sync.WaitGroup) {
	if n.certs != nil {
		work.Go(func() { n.certs.Run(ctx, n.reportCertificates(ctx)) })
		return
	}
	work.Go(func() {
		for {
			if leaf := leafOf(n.cert.p.Load()); leaf != nil {
				n.expiries.set(n.current.Load().config.issuerHost(), leaf.NotAfter)
				n.alarm(ctx, certificates.State{Host: n.current.Load().config.issuerHost(), NotBefore: leaf.NotBefore, Until: leaf.NotAfter}, n.now().Add(alarmBefore).After(leaf.NotAfter))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(alarmEvery):
			}
		}
	})
}

func (n *node) alarm(ctx context.Context, s certificates.State, late bool) {
	if late {
		n.log.WarnContext(ctx, "a certificate is about to end", slog.String("events", string(audit.CertificateEnding)), slog.String("host", s.Host), slog.Time("until", s.Until))
	}
}

// reportCertificates tells what is new, and every alarm each time.
func (n *node) reportCertificates(ctx context.Context) func([]certificates.State) {
	known := map[string]time.Time{}
	return func(states []certificates.State) {
		for _, s := range states {
			n.expiries.set(s.Host, s.Until)
			switch {
			case ctx.Err() != nil:
				return
			case s.Err != nil:
				n.log.ErrorContext(ctx, "there is no certificate: the authority has not given one", slog.String("events", string(audit.CertificateRefused)), slog.String("host", s.Host), slog.Any("error", s.Err))
			case !s.Until.Equal(known[s.Host]):
				known[s.Host] = s.Until
				n.log.InfoContext(ctx, "certificate", slog.String("events", string(audit.CertificateReceived)), slog.String("host", s.Host), slog.Time("until", s.Until))
			default:
				n.alarm(ctx, s, s.Late(n.now()))
			}
		}
	}
}

// newChallenges is the server of plain HTTP, where there is one.
func (n *node) newChallenges() *http.Server {
	s := newServer(n.certs.Challenges(), n.log)
	s.ReadTimeout, s.WriteTimeout, s.MaxHeaderBytes = headerTimeout, headerTimeout, 4<<10
	return s
}
