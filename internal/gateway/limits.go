package gateway

import (
	"net/netip"
	"strconv"
	"time"

	"sallyport/internal/ratelimit"
)

// Limits bound how much may be asked of an API, or of one operation. Both count.
// The zero value of each is no limit.
type Limits struct {
	PerUser    ratelimit.Rate // of a person with whatever tokens and apps; of a client that acts for itself
	PerClient  ratelimit.Rate // of all people with one app
	PerInstall ratelimit.Rate // of one installation of an app, where the token names it
	PerAddress ratelimit.Rate // of an address (IPv6: /64), by each node for itself
	Total      ratelimit.Rate // of everybody

	Concurrency        int // calls under way at once; streams are not counted
	ConcurrencyPerUser int
	StreamsPerUser     int // event streams and upgraded connections
}

// dimension is what a limit counts apart.
type dimension uint8

const (
	byUser dimension = iota
	byInstall
	byClient
	byAddress
	byNothing
)

// dimensions have the word that clients and logs see of each. Who calls comes
// before everybody: somebody over their own limit spends nothing of others.
var dimensions = [...]struct {
	name, reason string
	rate         func(*Limits) ratelimit.Rate
}{
	byUser:    {"user", "limit_user", func(l *Limits) ratelimit.Rate { return l.PerUser }},
	byInstall: {"install", "limit_install", func(l *Limits) ratelimit.Rate { return l.PerInstall }},
	byClient:  {"client", "limit_client", func(l *Limits) ratelimit.Rate { return l.PerClient }},
	byAddress: {"address", "limit_address", func(l *Limits) ratelimit.Rate { return l.PerAddress }},
	byNothing: {"total", "limit_total", func(l *Limits) ratelimit.Rate { return l.Total }},
}

// limiter is what applies to an operation: its own limits and those of its API.
type limiter struct {
	list   []limitCounter
	policy []string // RateLimit-Policy
}

type limitCounter struct {
	by      dimension
	label   string // quoted, as in the headers
	counter *ratelimit.Counter
}

func (s *State) limiter(api, operation string, own, all *Limits) *limiter {
	l := &limiter{}
	var policy []byte
	for by, d := range dimensions {
		for _, scope := range [...]struct {
			limits *Limits
			name   string
			label  string
		}{{own, "api." + api + "." + operation + "." + d.name, `"operation-` + d.name + `"`}, {all, "api." + api + "." + d.name, `"` + d.name + `"`}} {
			rate := d.rate(scope.limits)
			if rate.IsZero() {
				continue
			}
			of := s.rates.Counter
			if dimension(by) == byAddress { //nolint:gosec // five of them
				of = s.rates.Local
			}
			l.list = append(l.list, limitCounter{dimension(by), scope.label, of(scope.name, rate)}) //nolint:gosec // five of them
			if len(policy) > 0 {
				policy = append(policy, ", "...)
			}
			policy = append(policy, scope.label+";q="...)
			policy = strconv.AppendInt(policy, int64(rate.Burst), 10)
			policy = append(policy, ";w="...)
			policy = strconv.AppendInt(policy, seconds(rate.Window()), 10)
		}
	}
	if len(l.list) == 0 {
		return nil
	}
	l.policy = []string{string(policy)}
	return l
}

// seconds are whole ones, at least one.
func seconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// limit counts the call of somebody who may make it. All limits are spent or none.
func (c *call) limit() refusal {
	if no := c.occupy(); no.refused() {
		return no
	}
	l := c.op.limiter
	if l == nil {
		return handled
	}
	now := c.g.now()
	for i := range l.list {
		d := &l.list[i]
		v := c.spendLimit(d, now)
		if !v.OK {
			for k := range l.list[:i] {
				l.list[k].counter.Refund(c.limitKey(l.list[k].by), 1)
			}
			c.rate = rateNote{l, d.label, 0, v.Wait}
			return refusal{problem: tooMany, reason: dimensions[d.by].reason, after: v.Wait}
		}
		if d.by <= byClient && (c.rate.limiter == nil || v.Remaining < c.rate.remaining) {
			c.rate = rateNote{l, d.label, v.Remaining, v.Reset}
		}
	}
	return handled
}

func (c *call) spendLimit(d *limitCounter, now time.Time) ratelimit.Verdict {
	switch key := c.limitKey(d.by); {
	case d.by == byAddress:
		return d.counter.AllowAddress(now, c.address())
	case key == "" && d.by != byNothing:
		return ratelimit.Verdict{OK: true, Remaining: ratelimit.MaxCount}
	default:
		return d.counter.Allow(c.Context, now, key, 1)
	}
}

func (c *call) limitKey(by dimension) string {
	switch by {
	case byUser:
		return c.access.Subject
	case byClient:
		return c.access.ClientID
	case byInstall:
		if !c.access.InstallID.IsZero() {
			return c.access.InstallID.String()
		}
	case byAddress, byNothing:
	}
	return ""
}

// address is where the connection comes from; a proxy before this server is one.
func (c *call) address() netip.Addr {
	a, _ := netip.ParseAddrPort(c.r.RemoteAddr)
	return a.Addr()
}

// rateNote is what a client is told of its limits.
type rateNote struct {
	limiter   *limiter
	label     string
	remaining int
	reset     time.Duration
}

// setRate tells the client of the limit that is nearest
// (draft-ietf-httpapi-ratelimit-headers-11 §3, §4). What an upstream says of
// limits of its own is replaced: there is one answer.
func (c *call) setRate(h map[string][]string) {
	n := &c.rate
	if n.limiter == nil {
		return
	}
	var buf [64]byte
	b := append(buf[:0], n.label...)
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, int64(n.remaining), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, seconds(n.reset), 10)
	c.rateLine[0] = string(b)
	h["Ratelimit"], h["Ratelimit-Policy"] = c.rateLine[:], n.limiter.policy
}

// admit refuses, before anything is opened, what comes in a flood: more calls
// than the gateway can have under way, or tokens that somebody guesses.
func (c *call) admit() refusal {
	if no := c.shed(); no.refused() {
		return no
	}
	if f := c.g.failures; f != nil {
		if v := f.PeekAddress(c.g.now(), c.address()); !v.OK {
			return refusal{problem: tooMany, reason: "limit_failures", after: v.Wait}
		}
	}
	return handled
}

// countFailure counts a credential that proved to be none, by the address that
// it came from. Who sent none has guessed nothing.
func (c *call) countFailure(no refusal) {
	guess := no.problem == invalidToken || no.problem == invalidProof || no.reason == "no_session"
	if c.g.failures == nil || !guess || no.reason == "token_expired" {
		return
	}
	c.g.failures.AllowAddress(c.g.now(), c.address())
}

// failuresName is the limit of credentials that prove to be none.
const failuresName = "failures"

// names are those of the limits of a configuration.
func (t table) limitNames() map[string]bool {
	names := map[string]bool{}
	for _, api := range t {
		for _, tree := range api.trees {
			tree.each(func(op *operation) {
				if op.limiter == nil {
					return
				}
				for i := range op.limiter.list {
					names[op.limiter.list[i].counter.Name()] = true
				}
			})
		}
	}
	return names
}

func (n *node) each(see func(*operation)) {
	if n.op != nil {
		see(n.op)
	}
	if n.param != nil {
		n.param.each(see)
	}
	for _, child := range n.literal {
		child.each(see)
	}
}
