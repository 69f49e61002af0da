package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"sallyport/internal/bff"
	"sallyport/internal/certificates"
	"sallyport/internal/egress"
	"sallyport/internal/gateway"
	"sallyport/internal/hashworker"
	"sallyport/internal/ratelimit"
	"sallyport/internal/revocation"
	"sallyport/internal/shared"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/trace"
	"sallyport/internal/web"
)

func (p *program) serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run issuer and gateway",
		Long: "Serve runs issuer and gateway on one TLS listener, and health and metrics on another. With mtls_listen, programs\n" +
			"that are to prove a certificate have a third.\n" +
			"SIGHUP, or a change of the configuration, makes it take the new one if it keeps all rules; calls go on meanwhile.\n" +
			"It logs to standard error. SIGINT and SIGTERM let running requests end, for ten seconds at most if drain.limit says nothing else;\n" +
			"another one, two seconds later or more, ends it at once.",
		Example: "  sallyport serve\n  sallyport serve -c /etc/sallyport/sallyport.yaml",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), file) },
	}
	configFlag(cmd, &file)
	return cmd
}

func (p *program) serve(ctx context.Context, file string) error {
	ctx = untilSignal(ctx)
	tuneCollector(p.env)
	c, err := p.trustedConfig(file)
	if err != nil {
		return err
	}
	doors, err := listenAll(ctx, c)
	if err != nil {
		return err
	}
	defer doors.close()
	logger := p.logger()
	n, err := openNode(ctx, c, logger, p.now)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer n.close()
	n.reloads.obey(p.env)
	return n.serve(ctx, doors, func() {
		logger.InfoContext(ctx, "ready", slog.String("issuer", c.Issuer), slog.String("listen", doors.public.Addr().String()), slog.String("metrics_listen", doors.ops.Addr().String()))
	})
}

// interrupted says what really happened to a start that a signal has ended.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before it was ready")
	}
	return err
}

var errInUse = errors.New("address already in use")

// listen is net.Listen with a sentence for people.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: another process listens on %s", errInUse, address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// trustedConfig reads a configuration that keeps every rule.
func (p *program) trustedConfig(file string) (*config, error) {
	c, err := readConfig(file, p.env)
	if err != nil {
		return nil, err
	}
	return c, mustHold(c, environment{now: p.now()})
}

// logger writes lines for machines, or for people if they look on.
func (p *program) logger() *slog.Logger {
	if _, ok := terminal(p.stderr); ok {
		return slog.New(slog.NewTextHandler(p.stderr, everything))
	}
	p.lines = newLineWriter(p.stderr)
	return slog.New(newLineHandler(p.lines, everything))
}

// node is one process: what outlives a change of the configuration, and the
// assembly that follows from it. What is remembered between requests lives here;
// what is written in the file lives there.
type node struct {
	log        *slog.Logger
	level      *slog.LevelVar // of log
	now        func() time.Time
	store      *store.Store
	shared     *shared.Store // nil on one node
	keys       *keyring
	feed       *revocation.Follower
	replay     token.Replay
	proofs     *token.Proofs
	state      *gateway.State
	limits     *ratelimit.Table
	browser    *bff.Memory
	hashers    *hashworker.Pool
	news       <-chan struct{} // that there are signals
	registry   *prometheus.Registry
	meters     *web.Meters
	calls      *callMeters
	spans      *trace.Queue
	cert       certificate
	statics    *statics
	connectors *egress.State
	current    atomic.Pointer[assembly]
	reloads    *reloads
	public     *http.Server
	mutual     *http.Server // nil where mtls_listen is not set
	fronts     struct{ public, mutual front }
	ops        *http.Server
	draining   atomic.Bool

	certs      *certificates.Manager // nil where certificates come from files
	expiries   expiries
	challenges *http.Server // nil where tls.acme.challenge_listen is not set
}

// openNode puts a node together from a configuration that keeps the rules. A
// master key that does not fit changes nothing.
func openNode(ctx context.Context, c *config, logger *slog.Logger, now func() time.Time) (*node, error) {
	if _, err := c.master(); err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	quietLibraries()
	var cert tls.Certificate
	if !c.TLS.ACME.on() {
		var err error
		if cert, err = c.certificate(now()); err != nil {
			return nil, err
		}
	}
	st, err := c.readyStore(ctx, now)
	if err != nil {
		return nil, err
	}
	logger, level := withLevel(logger)
	n := &node{log: logger, level: level, now: now, spans: trace.NewQueue(), store: st, state: gateway.NewState(), limits: ratelimit.New(ratelimit.Options{}), registry: prometheus.NewRegistry()}
	n.cert.set(cert)
	if leaf := leafOf(&cert); leaf != nil {
		n.expiries.set(c.issuerHost(), leaf.NotAfter)
	}
	if n.hashers, err = newHashWorkers(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	n.keys, err = c.openKeyring(ctx, st, logger, now)
	if err == nil && c.TLS.ACME.on() {
		n.certs, err = n.newCertificates(c, n.keys.Ring)
		n.cert.acme = n.certs
	}
	if err == nil {
		err = n.openLasting(ctx, c)
	}
	if err != nil {
		n.closeShared()
		return nil, errors.Join(err, n.hashers.Close(), st.Close())
	}
	n.openDoors(c)
	return n, nil
}

// openLasting makes what is kept, and the first assembly.
func (n *node) openLasting(ctx context.Context, c *config) error {
	var err error
	n.feed = revocation.NewFollower(n.store.Feed(), n.now)
	if n.replay, err = n.openReplay(ctx, c); err != nil {
		return err
	}
	n.openConnectors()
	if n.proofs, err = n.newProofs(n.keys.Ring, n.replay); err != nil {
		return err
	}
	n.feed.OnEntry(func(e revocation.Entry) {
		if a := n.current.Load(); a != nil && e.Kind == revocation.Changed {
			a.oauth.ForgetClient(e.ID)
		}
	})
	n.feed.OnEntry(n.keys.onEntry)
	n.openBrowser()
	n.feed.OnReturn(n.feedReturned)
	n.statics = openStatics(n.store, n.keys.Ring, n.feed, n.log, n.now)
	if err := n.feed.CatchUp(ctx); err != nil {
		return err
	}
	n.keys.told, n.statics.caught = true, true
	n.news = n.store.Signals().Hint()
	n.registerMetrics(n.registry)
	n.calls = newCallMeters(n.registry)
	if n.meters, err = web.NewMeters(n.registry); err != nil {
		return err
	}
	n.reloads = newReloads(n)
	n.registry.MustRegister(n.reloads.collectors()...)
	a, err := n.assemble(ctx, c)
	if err != nil {
		return err
	}
	n.take(a)
	return nil
}

// openDoors makes the servers. They ask for the assembly of the moment with each
// request.
func (n *node) openDoors(c *config) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.current.Load().handler.ServeHTTP(w, r) })
	n.public = newServer(handler, n.log)
	n.public.TLSConfig = tlsConfigFor(&n.cert)
	n.public.RegisterOnShutdown(func() { n.current.Load().end() })
	if n.certs != nil && c.TLS.ACME.ChallengeListen != "" {
		n.challenges = n.newChallenges()
	}
	if c.MTLSListen != "" {
		n.mutual = n.newMutual(handler)
		n.fronts.mutual = n.frontOf(c, n.mutual)
	}
	n.fronts.public = n.frontOf(c, n.public)
	n.ops = newServer(web.Ops(web.OpsOptions{Ready: n.ready, Gatherer: n.registry, About: n.reloads.about}), n.log)
}

// audiences are those of the APIs behind the gateway.
func (c *config) audiences() []string {
	var list []string
	for i := range c.APIs {
		if c.APIs[i].guarded() {
			list = append(list, c.APIs[i].Audience)
		}
	}
	return list
}

func (c *config) gatewayAPIs() ([]gateway.API, error) {
	list, _, err := c.guardedAPIs()
	return list, err
}

// guardedAPIs are the APIs behind the gateway, and which of apis each is.
func (c *config) guardedAPIs() (list []gateway.API, places []int, err error) {
	for i := range c.APIs {
		if !c.APIs[i].guarded() {
			continue
		}
		api, err := c.APIs[i].gatewayAPI()
		if err != nil {
			return nil, nil, err
		}
		if api.Backend.TLS, err = c.upstreamTLS(&c.APIs[i]); err != nil {
			return nil, nil, err
		}
		for _, t := range c.DetailsTypes {
			if slices.Contains(t.APIs, api.Name) {
				api.DetailsTypes = append(api.DetailsTypes, t.Type)
			}
		}
		list, places = append(list, api), append(places, i)
	}
	return list, places, nil
}

// openStore opens the store without changing its schema.
func (c *config) openStore(ctx context.Context, now func() time.Time) (*store.Store, error) {
	dsn, err := c.dsn()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, dsn, store.Options{Now: now, Silent: c.silentClients()})
}

func (c *config) usesSQLite() bool {
	dsn, err := c.dsn()
	return err == nil && strings.HasPrefix(dsn, "sqlite:")
}

// readyStore opens the store with the schema of this version. SQLite is this
// process's own, so it is migrated here; PostgreSQL is shared with nodes that
// may still run the version before, so a person decides when.
func (c *config) readyStore(ctx context.Context, now func() time.Time) (*store.Store, error) {
	st, err := c.openStore(ctx, now)
	if err != nil {
		return nil, err
	}
	needed, err := st.NeedsMigration(ctx)
	if err == nil && needed {
		if c.usesSQLite() {
			err = st.Migrate(ctx)
		} else {
			err = c.lacksSchema()
		}
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

func (n *node) close() {
	n.closeShared()
	_ = n.hashers.Close() // never fails
	if err := n.store.Close(); err != nil {
		n.log.Warn("close store", slog.Any("error", err))
	}
	if n.draining.Load() {
		n.log.Info("stopped")
	}
}
