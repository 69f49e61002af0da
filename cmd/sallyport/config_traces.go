package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"

	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/trace"
)

type tracesConfig struct {
	Endpoint string   `yaml:"otlp_endpoint" example:"http://127.0.0.1:4318/v1/traces" doc:"Address of a collector that takes OTLP over HTTP in JSON: https, or http on this machine."`
	OneOf    int      `yaml:"one_of" default:"100" example:"100" doc:"One of so many requests is followed: 1 is each, 0 none but those that a trusted proxy has asked for."`
	Trusted  []string `yaml:"trusted_proxies" example:"[10.0.0.0/8]" doc:"Networks of proxies whose traceparent is continued. That of all others is dropped."`
	AuthFile string   `yaml:"authorization_file" example:"collector.secret" doc:"File with the value of the Authorization header for the collector."`
	Networks []string `yaml:"networks" example:"[10.0.0.0/8]" doc:"Private networks in which the collector may be."`
}

func checkTraces(j *judge) {
	c := &j.c.Traces
	if c.OneOf < 0 || c.OneOf > 1_000_000 {
		j.failf("traces.one_of", "%d is not between 0 and 1000000", c.OneOf)
	}
	for _, l := range []struct {
		at   string
		list []string
	}{{"traces.trusted_proxies", c.Trusted}, {"traces.networks", c.Networks}} {
		for _, text := range l.list {
			if _, err := outbound.ParseNetwork(text); err != nil {
				j.failf(l.at, "%v", err)
			}
		}
	}
	if c.Endpoint == "" {
		if c.AuthFile != "" || len(c.Trusted) > 0 {
			j.failf("traces.otlp_endpoint", "is missing: without it no request is followed")
		}
		return
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		j.failf("traces.otlp_endpoint", "is not an https address without credentials and query, nor an http address on this machine")
	}
	if c.AuthFile != "" {
		if _, err := readSecret(j.c.file(c.AuthFile)); err != nil {
			j.failf("traces.authorization_file", "%v", err)
		}
	}
}

// traces is how requests of one configuration are followed.
type traces struct {
	n      *node
	tracer *trace.Tracer
	send   trace.Send
}

func (a *assembly) assembleTraces(context.Context, *keyFinder) error {
	c := &a.config.Traces
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return errors.New("traces.otlp_endpoint is not an address")
	}
	var authorization secret.Value
	if c.AuthFile != "" {
		text, err := readSecret(a.config.file(c.AuthFile))
		if err != nil {
			return err
		}
		authorization = secret.New(text)
	}
	o := trace.Options{Queue: a.spans, Now: a.now, Trusted: networks(c.Trusted)}
	if c.OneOf > 0 {
		o.Share = 1 / float64(c.OneOf)
	}
	t := &traces{n: a.node, tracer: trace.New(o)}
	if t.tracer == nil {
		return nil
	}
	door := outbound.NewClient(outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: []uint16{webhookPort(u)}, AllowNetworks: networks(c.Networks)})
	t.send = func(ctx context.Context, body []byte) error {
		header := map[string]string{}
		if !authorization.IsZero() {
			header["Authorization"] = authorization.Reveal()
		}
		return door.PostJSON(ctx, c.Endpoint, header, body)
	}
	a.traces = t
	return nil
}

func (a *assembly) tracer() *trace.Tracer {
	if a.traces == nil {
		return nil
	}
	return a.traces.tracer
}

func (t *traces) run(ctx context.Context) {
	t.n.spans.Run(ctx, t.send, func(err error) {
		if err != nil {
			t.n.log.WarnContext(ctx, "the collector of traces does not take them: they are lost", slog.Any("error", err))
			return
		}
		t.n.log.InfoContext(ctx, "the collector takes traces again")
	})
}
