package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/outbound"
	secrets "sallyport/internal/vault"
)

// checkEgress judges connectors by what is theirs alone; the rest is judged of them as
// of any API.
func checkEgress(j *judge) {
	for i := range j.c.Egress {
		e, at := &j.c.Egress[i], fmt.Sprintf("egress[%d]", i)
		if !apiName.MatchString(e.Name) {
			j.failf(at+".name", "%q is not a name: write lower-case letters, digits and hyphens", e.Name)
		}
		if e.Path != "" && !strings.HasPrefix(e.Path, "/egress/") {
			j.failf(at+".path", "%q is not below /egress/", e.Path)
		}
		checkEgressUpstream(j, at+".upstream", e)
		checkInject(j, at+".inject", &e.Inject)
		checkInjectMore(j, at, e)
		if len(e.operations()) == 0 {
			j.failf(at+".allow", "is missing: nothing could be called")
		}
		for k, match := range e.Allow {
			if _, _, ok := (&operationConfig{Match: match}).split(); !ok {
				j.failf(fmt.Sprintf("%s.allow[%d]", at, k), "%q is not a method and a path: write for example GET /v1/geocode", match)
			}
		}
		checkEgressNames(j, at, e)
		checkEgressNumbers(j, at, e)
	}
}

func checkEgressUpstream(j *judge, at string, e *egressConfig) {
	u, err := url.Parse(e.Upstream)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		j.failf(at, "is not an address without user, query and fragment")
		return
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		j.failf(at, "the key would go over plain http: use https")
		return
	}
	for k, n := range e.Networks {
		if _, err := outbound.ParseNetwork(n); err != nil {
			j.failf(strings.TrimSuffix(at, ".upstream")+fmt.Sprintf(".networks[%d]", k), "%q is not a network: write for example 10.0.0.0/8", n)
		}
	}
	door, err := e.door(j.c)
	if err != nil {
		j.failf(strings.TrimSuffix(at, ".upstream")+".ca_file", "%v", err)
		return
	}
	if why := unaskedProblem(door, e.Upstream, strings.TrimSuffix(at, ".upstream")+".networks"); why != "" {
		j.failf(at, "%s", why)
	}
}

// notForKeys are headers that mean something to the connection, to the body or to us.
var notForKeys = map[string]bool{
	"host": true, "content-length": true, "content-type": true, "transfer-encoding": true, "connection": true, "te": true, "trailer": true, "upgrade": true,
	"accept-encoding": true, "accept": true, "range": true, "expect": true,
}

func checkInject(j *judge, at string, i *injectConfig) {
	if i.injector(injectDeps{}) == nil {
		none := i.Header == "" && i.Query == "" && i.Basic == "" && len(i.injectMore.injectors("", injectDeps{})) == 0
		j.failf(at, "has %s: set one of header, query, basic, oauth, aws and google", map[bool]string{true: "no way to send the secret", false: "more than one way"}[none])
	}
	if why := secrets.CheckName(i.Secret); why != "" {
		j.failf(at+".secret", "%s", why)
	}
	if i.Header != "" && (!isToken(i.Header) || notForKeys[strings.ToLower(i.Header)]) {
		j.failf(at+".header", "%q is not a header for a credential", i.Header)
	}
	if i.Prefix != "" && i.Header == "" {
		j.failf(at+".prefix", "stands before nothing: it is for header")
	}
	if strings.ContainsAny(i.Basic, ":\r\n") {
		j.failf(at+".basic", "has a colon, which no user name has (RFC 7617)")
	}
}

func isToken(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// checkEgressNames lets a connector judge that calls nobody, and turns its words into
// settings of the file.
func checkEgressNames(j *judge, at string, e *egressConfig) {
	o, err := e.options(injectDeps{})
	if err != nil {
		return // checkEgressUpstream has said so
	}
	if o.Inject == nil {
		return
	}
	_, err = egress.New(o)
	for _, one := range split(err) {
		setting, text, _ := strings.Cut(one.Error(), ": ")
		var k int
		if n, _ := fmt.Sscanf(setting, "operations[%d]", &k); n == 1 {
			setting = strings.Replace(setting, fmt.Sprintf("[%d]", k), fmt.Sprintf("[%d]", k-len(e.Allow)), 1)
		}
		j.failf(at+"."+setting, "%s", text)
	}
}

func checkEgressNumbers(j *judge, at string, e *egressConfig) {
	for name, text := range map[string]string{"per_user": e.Quota.PerUser, "total": e.Quota.Total} {
		if _, err := rate(text); err != nil {
			j.failf(at+".quota."+name, "%v", err)
		}
	}
	for _, n := range []struct {
		path        string
		value, most int
	}{{".max_request", e.MaxRequest, 10 << 20}, {".max_answer", e.MaxAnswer, 1 << 30}, {".quota.budget", e.Quota.Budget, 1_000_000_000}} {
		if n.value < 0 || n.value > n.most {
			j.failf(at+n.path, "%d is not between 1 and %d", n.value, n.most)
		}
	}
	if d := e.Timeout.std(); d != 0 && (d < time.Second || d > 10*time.Minute) {
		j.failf(at+".timeout", "%s is not between 1s and 10m", d)
	}
	if d := e.Cache.std(); d > time.Hour {
		j.failf(at+".cache", "%s is longer than 1h", d)
	}
	for k, o := range e.Operations {
		if o.Cost < 0 || o.Cost > 1_000_000 {
			j.failf(fmt.Sprintf("%s.operations[%d].cost", at, k), "%d is not between 1 and 1000000", o.Cost)
		}
	}
}
