package main

import (
	"fmt"
	"net/url"

	"sallyport/internal/token"
)

// checkBackends judges the way to backends: GW20, TL05, T144.
func checkBackends(j *judge) {
	for i := range j.c.APIs {
		a, at := &j.c.APIs[i], fmt.Sprintf("apis[%d].upstream_tls", i)
		if !a.guarded() {
			continue
		}
		conf, err := j.c.upstreamTLS(a)
		if err != nil {
			j.failf(at, "%s", err)
			continue
		}
		if u, err := url.Parse(a.Upstream); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) && a.tier() == token.TierHigh {
			j.failf(fmt.Sprintf("apis[%d].upstream", i), "an API of tier high is reached by https alone")
		}
		if conf == nil {
			continue
		}
		if why := clientCertificateProblem(conf, j.env.now); why != "" {
			j.failf(at+".cert_file", "%s", why)
		}
		if len(conf.Certificates) > 0 && conf.RootCAs == nil {
			j.warnf(at+".ca_file", "is not set, so any public authority can name a backend that is shown the gateway's certificate: set it to your own")
		}
	}
}
