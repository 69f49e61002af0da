package main

import (
	"context"
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

	"sallyport/internal/account"
	"sallyport/internal/gateway"
	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
	"sallyport/internal/revocation"
	"sallyport/internal/shared"
	"sallyport/internal/signals"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/web"
)

func (p *program) serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run issuer and gateway",
		Long: "Serve runs issuer and gateway on one TLS listener, and health and metrics on another. With mtls_listen, programs\n" +
			"that are to prove a certificate have a third.\n" +
			"It logs to standard error. SIGINT and SIGTERM let running requests end, for ten seconds at most;\n" +
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
		return slog.New(slog.NewTextHandler(p.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, nil))
}

// node is one process: issuer, gateway, and what they stand on.
type node struct {
	log      *slog.Logger
	now      func() time.Time
	store    *store.Store
	shared   *shared.Store // nil on one node
	keys     *keyring
	feed     *revocation.Follower
	oauth    *oauth.Service
	accounts *account.Service
	gateway  *gateway.Gateway
	notices  *notify.Worker
	postman  *notify.Postman
	signals  *signals.Service // nil where nobody receives signals
	public   *http.Server
	mutual   *http.Server // nil where mtls_listen is not set
	ops      *http.Server
	draining atomic.Bool
}

// openNode puts a node together from a configuration that keeps the rules. A
// master key that does not fit changes nothing.
func openNode(ctx context.Context, c *config, logger *slog.Logger, now func() time.Time) (*node, error) {
	if _, err := c.master(); err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	cert, err := c.certificate(now())
	if err != nil {
		return nil, err
	}
	st, err := c.readyStore(ctx, now)
	if err != nil {
		return nil, err
	}
	n := &node{log: logger, now: now, store: st}
	n.keys, err = c.openKeyring(ctx, st, logger, now)
	if err == nil {
		err = n.assemble(ctx, c, n.keys.Ring)
	}
	if err != nil {
		n.closeShared()
		return nil, errors.Join(err, st.Close())
	}
	n.public.TLSConfig = tlsConfigFor(cert)
	if c.MTLSListen != "" {
		n.mutual = n.newMutual(n.public.Handler, cert)
	}
	return n, nil
}

func (n *node) assemble(ctx context.Context, c *config, ring *token.Ring) error {
	clients, err := c.oauthClients()
	if err != nil {
		return err
	}
	keys, err := newKeyFinder(c, n.now)
	if err != nil {
		return err
	}
	resources, err := c.resources(keys)
	if err != nil {
		return err
	}
	vouchers, err := keys.assertionIssuers(c)
	if err != nil {
		return err
	}
	authorities, err := c.clientCAs()
	if err != nil {
		return err
	}
	attesters, err := c.oauthAttesters(keys)
	if err != nil {
		return err
	}
	n.feed = revocation.NewFollower(n.store.Feed(), n.now)
	replay, err := n.openReplay(ctx, c)
	if err != nil {
		return err
	}
	proofs, err := n.newProofs(ring, replay)
	if err != nil {
		return err
	}
	registration, err := c.registration(keys)
	if err != nil {
		return err
	}
	n.oauth, err = oauth.New(oauth.Options{
		Issuer: c.Issuer, Store: n.store.OAuth(), Users: n.store.OAuth(), Ring: ring, Feed: n.feed, Proofs: proofs, MutualTLS: c.mutualURL(),
		Resources: resources, ScopeText: c.Scopes, DetailsTypes: c.DetailsTypes, Clients: clients, Now: n.now,
		AssertionIssuers: vouchers,
		KeysAt:           keys.ofClient, IsMaster: c.isMaster, Replay: replay, Fetch: keys.door.Get, FetchRequest: keys.door.GetJWT, RequirePushed: c.RequirePushed,
		MinACR:   c.People.minACR(),
		MayFetch: keys.door.Check, Registration: registration, Documents: c.documents(), FetchDocument: fetchDocument(c.documentDoor()),
		AssertionLife: c.AssertionLifetime.std(), ClientCAs: authorities, Attesters: attesters,
		Signals:          c.Signals.Enabled,
		GlobalRevocation: c.GlobalRevocation, Tell: n.tell,
	})
	if err != nil {
		return err
	}
	n.feed.OnEntry(func(e revocation.Entry) {
		if e.Kind == revocation.Changed {
			n.oauth.ForgetClient(e.ID)
		}
	})
	n.feed.OnEntry(n.keys.onEntry)
	n.feed.OnReturn(n.feedReturned)
	if err := n.feed.CatchUp(ctx); err != nil {
		return err
	}
	n.keys.told = true
	apis, err := c.gatewayAPIs()
	if err != nil {
		return err
	}
	n.gateway, err = gateway.New(gateway.Options{Issuer: c.Issuer, APIs: apis, Ring: ring, Feed: n.feed, Proofs: proofs, MutualTLS: c.mutualURL(), Now: n.now})
	if err != nil {
		return err
	}
	if err := n.assembleNotices(ctx, c); err != nil {
		return err
	}
	n.assemblePosts(keys.door)
	if err := n.assembleSignals(c, keys.door); err != nil {
		return err
	}
	return n.assembleEdge(c, ring)
}

func (n *node) assembleEdge(c *config, ring *token.Ring) error {
	limits := ratelimit.New(ratelimit.Options{})
	lists, err := c.breachedFilters()
	if err != nil {
		return err
	}
	passkeys, err := c.passkeys()
	if err != nil {
		return err
	}
	places, err := c.places()
	if err != nil {
		return err
	}
	n.accounts = account.New(c.letters(account.Options{
		Store: n.store.Account(), Now: n.now, Ring: ring, Limits: limits, WebAuthn: passkeys,
		MaxSessions: c.People.SessionsMax, NeedSecond: c.People.minACR() != "",
		Breached: lists,
		Places:   places,
	}))
	elsewhere, err := c.upstreamService(ring, n.now, n.spendState)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	n.registerMetrics(registry)
	look, err := c.theme()
	if err != nil {
		return fmt.Errorf("people.theme: %w", err)
	}
	handler, err := web.New(web.Options{
		Issuer: c.Issuer, OAuth: n.oauth, Accounts: n.accounts, Ring: ring, Gateway: n.gateway, Logger: n.log,
		Registerer: registry, Limits: limits, Now: n.now, Audiences: c.audiences(),
		MutualTLS: c.mutualURL(), Signals: n.signals, SessionTier: c.People.sessionTier(), Theme: look, Upstream: elsewhere,
	})
	if err != nil {
		return err
	}
	n.public = newServer(handler, n.log)
	n.public.RegisterOnShutdown(n.gateway.Close)
	if n.signals != nil {
		n.public.RegisterOnShutdown(n.signals.Close)
	}
	n.ops = newServer(web.Ops(web.OpsOptions{Ready: n.ready, Gatherer: registry}), n.log)
	return nil
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
	list := make([]gateway.API, 0, len(c.APIs))
	for i := range c.APIs {
		if !c.APIs[i].guarded() {
			continue
		}
		api, err := c.APIs[i].gatewayAPI()
		if err != nil {
			return nil, err
		}
		for _, t := range c.DetailsTypes {
			if slices.Contains(t.APIs, api.Name) {
				api.DetailsTypes = append(api.DetailsTypes, t.Type)
			}
		}
		list = append(list, api)
	}
	return list, nil
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
	if err := n.store.Close(); err != nil {
		n.log.Warn("close store", slog.Any("error", err))
	}
	if n.draining.Load() {
		n.log.Info("stopped")
	}
}
