package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"sallyport/internal/account"
	"sallyport/internal/bff"
	"sallyport/internal/gateway"
	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/web"
)

// assembly is all that follows from one configuration. It is made whole, then
// takes the place of the one before in one step, and is never changed: a request
// sees one configuration from its start to its end.
type assembly struct {
	*node
	config   *config
	version  string
	oauth    *oauth.Service
	accounts *account.Service
	gateway  *gateway.Gateway
	counted  *operationMeters
	traces   *traces // nil where no request is followed
	notices  *notify.Worker
	postman  *notify.Postman
	signals  *signals.Service // nil where nobody receives signals
	handler  http.Handler
	ways     ways   // to the upstreams of connectors
	stop     func() // ends its workers

	browserApps   *bff.Service // nil where there are none
	browserSecret map[string]secret.Value
}

// assemble makes one from a configuration that keeps the rules. It changes
// nothing that is kept and starts nothing, so it can be thrown away.
func (n *node) assemble(ctx context.Context, c *config) (*assembly, error) {
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	a := &assembly{node: n, config: c, version: version, stop: func() {}}
	keys, err := newKeyFinder(c, n.now)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *keyFinder) error{
		a.assembleTraces, a.assembleOAuth, a.assembleBrowser, a.assembleGateway, a.assembleNotices, a.assemblePosts, a.assembleSignals, a.assembleAccounts, a.assembleEdge,
	} {
		if err := step(ctx, keys); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *assembly) assembleOAuth(_ context.Context, keys *keyFinder) error {
	c := a.config
	clients, err := c.oauthClients()
	if err != nil {
		return err
	}
	clients = a.browserSecrets(clients)
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
	registration, err := c.registration(keys)
	if err != nil {
		return err
	}
	a.oauth, err = oauth.New(oauth.Options{
		Issuer: c.Issuer, Store: a.store.OAuth(), Users: a.store.OAuth(), Ring: a.keys.Ring, Feed: a.feed, Proofs: a.proofs, MutualTLS: c.mutualURL(),
		Resources: resources, ScopeText: c.Scopes, DetailsTypes: c.DetailsTypes, Clients: clients, Now: a.now,
		AssertionIssuers: vouchers,
		KeysAt:           keys.ofClient, IsMaster: c.isMaster, Replay: a.replay, Fetch: keys.door.Get, FetchRequest: keys.door.GetJWT, RequirePushed: c.RequirePushed,
		MinACR:   c.People.minACR(),
		MayFetch: keys.door.Check, Registration: registration, Documents: c.documents(), FetchDocument: fetchDocument(c.documentDoor()),
		AssertionLife: c.AssertionLifetime.std(), ClientCAs: authorities, Attesters: attesters,
		Signals:          c.Signals.Enabled,
		GlobalRevocation: c.GlobalRevocation, Tell: a.tell,
	})
	return err
}

func (a *assembly) assembleGateway(context.Context, *keyFinder) error {
	apis, places, err := a.config.guardedAPIs()
	if err != nil {
		return err
	}
	for i := range apis {
		if e := a.config.APIs[places[i]].connector; e != nil {
			if err := a.connect(&apis[i], e); err != nil {
				return err
			}
		}
	}
	a.counted = a.calls.operations()
	a.gateway, err = gateway.New(gateway.Options{
		Issuer: a.config.Issuer, APIs: a.withCookies(apis), Ring: a.keys.Ring, Feed: a.feed, Proofs: a.proofs, Keys: a.statics.keys, MutualTLS: a.config.mutualURL(), Now: a.now, State: a.state, Meters: a.counted, Traced: a.traces != nil,
		Records: a.records(), KeepKeys: a.config.Idempotency.Keep.std(),
		Failures: rateOf(a.config.Gateway.Failures), Concurrency: a.config.Gateway.Concurrency, MaxDelay: a.config.Gateway.MaxDelay.std(),
	})
	return err
}

func (a *assembly) assembleAccounts(context.Context, *keyFinder) error {
	c := a.config
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
	o := account.Options{
		Store: a.store.Account(), Now: a.now, Ring: a.keys.Ring, Limits: a.limits, WebAuthn: passkeys,
		MaxSessions: c.People.SessionsMax, NeedSecond: c.People.minACR() != "",
		Breached: lists,
		Places:   places,
		Hash:     a.hashers.Compute,
	}
	if before := a.current.Load(); before != nil {
		o.Before = before.accounts
	}
	a.accounts = account.New(c.letters(o))
	return nil
}

func (a *assembly) assembleEdge(context.Context, *keyFinder) error {
	c := a.config
	elsewhere, err := c.upstreamService(a.keys.Ring, a.now, a.spendState)
	if err != nil {
		return err
	}
	look, err := c.theme()
	if err != nil {
		return fmt.Errorf("people.theme: %w", err)
	}
	var browser web.BrowserApps
	if a.browserApps != nil {
		browser = a.browserApps
	}
	a.handler, err = web.New(web.Options{
		Browser: browser,
		Issuer:  c.Issuer, OAuth: a.oauth, Accounts: a.accounts, Ring: a.keys.Ring, Gateway: a.gateway, Logger: a.log, Policy: a.version, Access: c.Log.access(), Tracer: a.tracer(),
		Meters: a.meters, Limits: a.limits, Now: a.now, Audiences: c.audiences(),
		MutualTLS: c.mutualURL(), Signals: a.signals, SessionTier: c.People.sessionTier(), Theme: look, Upstream: elsewhere,
	})
	return err
}

// start runs what works beside requests, until stop. What another node has begun
// nobody else begins, so the next assembly's may run before these have ended.
func (a *assembly) start(ctx context.Context, work *sync.WaitGroup) {
	ctx, a.stop = context.WithCancel(ctx)
	work.Go(func() { a.notices.Run(ctx) })
	work.Go(func() { a.postman.Run(ctx) })
	if a.traces != nil {
		work.Go(func() { a.traces.run(ctx) })
	}
	if a.signals != nil {
		work.Go(func() { a.signals.Run(ctx) })
	}
}

// end closes what would not end by itself: streams, and receivers that wait for
// signals.
func (a *assembly) end() {
	a.gateway.Close()
	a.ways.close()
	if a.signals != nil {
		a.signals.Close()
	}
}

// take puts an assembly in the place of the one before. Requests that are under
// way end with the one that they began with.
func (n *node) take(a *assembly) {
	n.store.SetSilent(a.config.silentClients())
	n.level.Set(a.config.Log.level())
	n.keys.setPolicy(a.config.keeper(n.store, n.now), a.config)
	n.current.Store(a)
	a.gateway.TakeOver()
	n.calls.keep(a.counted)
}
