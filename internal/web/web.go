package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
	"sallyport/internal/signals"
	"sallyport/internal/theme"
	"sallyport/internal/token"
	"sallyport/internal/trace"
	"sallyport/internal/upstream"
)

// Options configure the edge. Those up to Now are needed.
type Options struct {
	Issuer   string // absolute URI without a trailing slash; it may have a path
	OAuth    *oauth.Service
	Accounts *account.Service
	Ring     *token.Ring
	Logger   *slog.Logger
	Now      func() time.Time

	Gateway        http.Handler          // whatever is not the issuer's; nil: not found
	Browser        BrowserApps           // nil: there are none
	Audiences      []string              // of the APIs behind Gateway: their hosts are served too
	Theme          *theme.Theme          // how pages look; nil: ours
	Registerer     prometheus.Registerer // nil: no metrics
	Meters         *Meters               // instead of Registerer: those of the site that this one follows
	Access         Access                // which requests have a line in the log
	Tracer         *trace.Tracer         // nil: no request is followed
	Policy         string                // version of the configuration, for the event of each request
	Limits         *ratelimit.Table      // of client authentication; nil: one of its own
	BrowserOrigins []string              // exact origins of browser apps that may call the token endpoint
	Signals        *signals.Service      // nil: nobody receives signals
	SessionTier    token.Tier            // whose limits sessions of people have; zero: TierLow
	MutualTLS      string                // base URL of the listener that asks for client certificates; empty: there is none
	Upstream       *upstream.Service     // other providers that people may sign in at; nil: none
}

// BrowserApps are the endpoints and pages of browser apps.
type BrowserApps interface {
	http.Handler
	// Serves reports whether a Host header is that of an app, whose pages call the
	// APIs there.
	Serves(host string) bool
	// Owns reports whether ServeHTTP answers an escaped path there.
	Owns(host, path string) bool
}

// site is the edge. Safe for concurrent use.
type site struct {
	oauth    *oauth.Service
	accounts *account.Service
	signals  *signals.Service  // nil where there are no signals
	upstream *upstream.Service // nil where there are none
	ring     *token.Ring
	gateway  http.Handler
	apps     BrowserApps // nil where there are none
	log      *slog.Logger
	now      func() time.Time
	limits   *ratelimit.Table
	flood    flood
	traces   *trace.Tracer
	access   access
	origins  map[string]bool
	csrf     *http.CrossOriginProtection

	sessionTier token.Tier
	policy      string // version of the configuration

	prefix    string          // path of the issuer, "" for most
	hostname  string          // of the issuer
	authority string          // host and port of the issuer, as people see it
	origin    string          // scheme and authority
	hosts     map[string]bool // Host headers that are the issuer's
	apiHosts  map[string]bool // Host headers that are an API's
	hsts      bool

	mutualOrigin   string
	mutualHosts    map[string]bool
	mutualAPIHosts map[string]bool

	endpoints   map[string]*endpoint
	assets      map[string]*document // by path
	metadata    document
	styleURL    string
	themeURL    string // empty: no colour is changed
	logoURL     string // empty: none
	name        string // of those who run the service; empty: not told
	iconURL     string
	continueURL string
	passkeyURL  string
	meters      *meters
}

// New returns the handler of the public listener. It fails on options that
// contradict each other.
func New(o Options) (http.Handler, error) {
	if o.OAuth == nil || o.Accounts == nil || o.Ring == nil || o.Logger == nil || o.Now == nil {
		return nil, errors.New("web: incomplete options")
	}
	if o.Issuer != o.OAuth.Issuer() {
		return nil, fmt.Errorf("web: issuer %q is not the service's, %q", o.Issuer, o.OAuth.Issuer())
	}
	s := &site{
		oauth: o.OAuth, accounts: o.Accounts, signals: o.Signals, upstream: o.Upstream, ring: o.Ring, gateway: o.Gateway, apps: o.Browser, log: o.Logger, now: o.Now,
		limits: o.Limits, origins: map[string]bool{}, csrf: http.NewCrossOriginProtection(),
		sessionTier: o.SessionTier, policy: o.Policy,
	}
	if s.gateway == nil {
		s.gateway = http.NotFoundHandler()
	}
	if s.limits == nil {
		s.limits = ratelimit.New(ratelimit.Options{})
	}
	s.flood.limits = s.limits
	s.access.which, s.traces = o.Access, o.Tracer
	for _, origin := range o.BrowserOrigins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return nil, fmt.Errorf("web: %q is not an origin: write for example https://app.example.com", origin)
		}
		s.origins[origin] = true
	}
	if err := s.setIssuer(o.Issuer); err != nil {
		return nil, err
	}
	if err := s.setMutual(o.MutualTLS, o.Audiences); err != nil {
		return nil, err
	}
	s.apiHosts = map[string]bool{}
	for _, audience := range o.Audiences {
		if u, err := url.Parse(audience); err == nil && u.Host != "" {
			addHost(s.apiHosts, strings.ToLower(u.Hostname()), u)
		}
	}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	s.loadTheme(o.Theme)
	s.metadata = newDocument("application/json", o.OAuth.Metadata())
	s.endpoints = s.compileRoutes()
	var err error
	if o.Meters == nil {
		if o.Meters, err = NewMeters(o.Registerer); err != nil {
			return nil, err
		}
	}
	s.meters = o.Meters.of(s.endpoints)
	return http.HandlerFunc(s.observe), nil
}

var loopbackNames = []string{"localhost", "127.0.0.1", "::1"}

// setIssuer derives what follows from the issuer's URL. Nothing is ever derived
// from a request's Host header (MD01); it is only compared.
func (s *site) setIssuer(issuer string) error {
	u, err := parseBase(issuer)
	if err != nil {
		return err
	}
	s.prefix, s.hostname, s.authority, s.origin = u.Path, u.Hostname(), u.Host, u.Scheme+"://"+u.Host
	// A browser would remember it for the other servers of this machine too.
	s.hsts = u.Scheme == "https" && !slices.Contains(loopbackNames, strings.ToLower(u.Hostname()))
	s.hosts = map[string]bool{}
	for _, name := range hostNames(u) {
		addHost(s.hosts, name, u)
	}
	return nil
}

func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.HasSuffix(u.Path, "/") ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.RawPath != "" {
		return nil, fmt.Errorf("web: %q is not an absolute URL without slash at the end, query and fragment", address)
	}
	return u, nil
}

// hostNames are the names by which the host of u may be called: this machine
// has several.
func hostNames(u *url.URL) []string {
	name := strings.ToLower(u.Hostname())
	if slices.Contains(loopbackNames, name) {
		return loopbackNames
	}
	return []string{name}
}

// addHost adds the forms that a Host header for name has, at the port of u.
func addHost(hosts map[string]bool, name string, u *url.URL) {
	standard, port := map[string]string{"https": "443", "http": "80"}[u.Scheme], u.Port()
	bare := strings.TrimSuffix(net.JoinHostPort(name, ""), ":")
	if port == "" || port == standard {
		hosts[bare] = true
		hosts[bare+":"+standard] = true
	} else {
		hosts[bare+":"+port] = true
	}
}
