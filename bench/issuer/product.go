package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/account"
	"sallyport/internal/gateway"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/web"
)

// serve runs one of the two servers on a loopback port, over plain HTTP: TLS
// would cost both the same.
func serve(ctx context.Context, make func(context.Context, string, string) (http.Handler, hello, error), profile string) error {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400) // as cmd/sallyport does, and for both, to be fair
	}
	dir, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	baseURL := "http://" + l.Addr().String()
	handler, h, err := make(ctx, dir, baseURL)
	if err != nil {
		return err
	}
	h.URL = baseURL
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newProduct wires the issuer as cmd/sallyport does: the real handler stack
// with its log and metrics, over a durable SQLite database.
func newProduct(ctx context.Context, dir, baseURL string) (http.Handler, hello, error) {
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "bench.db"), store.Options{Now: time.Now})
	if err != nil {
		return nil, hello{}, err
	}
	if err := st.Migrate(ctx); err != nil {
		return nil, hello{}, err
	}
	ring, err := newRing(st.Keys())
	if err != nil {
		return nil, hello{}, err
	}
	feed := revocation.NewFollower(st.Feed(), time.Now)
	if err := feed.CatchUp(ctx); err != nil {
		return nil, hello{}, err
	}
	go feed.Run(ctx, func(error) {})
	issuer := "https" + baseURL[len("http"):]
	sec := secret.NewHandle(secret.ClientSecret)
	proofs, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(0, time.Now), Now: time.Now})
	if err != nil {
		return nil, hello{}, err
	}
	svc, err := oauth.New(oauth.Options{
		Issuer: issuer, Store: st.OAuth(), Users: st.OAuth(), Ring: ring, Feed: feed, Proofs: proofs, Now: time.Now,
		Resources: []oauth.Resource{
			{Name: "catalog", Audience: "https://api.example.com/catalog", Tier: token.TierStandard, Scopes: []string{"catalog.read"}},
			{Name: "reports", Audience: "https://api.example.com/reports", Tier: token.TierStandard, Scopes: []string{"reports.read"}, Format: token.FormatJWT},
		},
		Clients: append(webClients(sec), []oauth.Client{
			{ID: "job", Type: oauth.ServiceClient, Scope: "catalog.read reports.read", Secrets: []oauth.ClientSecret{{Hash: sec.Hash()}}, Resources: []string{"catalog"}},
			{ID: "app", Type: oauth.Native, Scope: "catalog.read", RedirectURIs: []string{flowRedirect}},
		}...),
	})
	if err != nil {
		return nil, hello{}, err
	}
	target, err := url.Parse("http://127.0.0.1:9")
	if err != nil {
		return nil, hello{}, err
	}
	gw, err := gateway.New(gateway.Options{Issuer: issuer, Ring: ring, Feed: feed, Proofs: proofs, Now: time.Now, APIs: []gateway.API{{
		Name: "catalog", Audience: "https://api.example.com/catalog", Path: "/catalog", Upstream: target, Tier: token.TierStandard,
		Operations: []gateway.Operation{{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"}},
	}}})
	if err != nil {
		return nil, hello{}, err
	}
	accounts := account.New(account.Options{Store: st.Account(), Now: time.Now, Ring: ring})
	handler, err := web.New(web.Options{
		Issuer: issuer, OAuth: svc, Accounts: accounts, Ring: ring, Gateway: gw, Now: time.Now,
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), Registerer: prometheus.NewRegistry(), SessionTier: token.TierStandard,
	})
	if err != nil {
		return nil, hello{}, err
	}
	h := hello{ClientID: "job", ClientSecret: sec.Reveal(), RefreshClient: "app", FlowClients: flowClients()}
	return handler, h, seed(ctx, svc, st, &h)
}

// flowClients are as many as have workers: each client may push so many requests
// a second and no more.
func flowClients() []string {
	list := make([]string, maxWorkers)
	for i := range list {
		list[i] = "web-" + strconv.Itoa(i)
	}
	return list
}

func webClients(sec secret.Value) []oauth.Client {
	var list []oauth.Client
	for _, id := range flowClients() {
		list = append(list, oauth.Client{ID: id, Type: oauth.Server, Scope: "openid catalog.read", RedirectURIs: []string{flowRedirect}, Secrets: []oauth.ClientSecret{{Hash: sec.Hash()}}})
	}
	return list
}

// seed signs one person in and makes a grant for each worker.
func seed(ctx context.Context, svc *oauth.Service, st *store.Store, h *hello) error {
	now := time.Now()
	user := account.User{ID: secret.NewID(now).String(), Username: "bench", CreatedAt: now}
	if err := st.Account().AddUser(ctx, user); err != nil {
		return err
	}
	session := account.Session{
		ID: secret.NewID(now), UserID: user.ID, ACR: token.ACRPassword, AMR: "pwd", AuthTime: now, CreatedAt: now,
		LastSeen: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
	}
	if err := st.Account().AddSession(ctx, session, secret.ID{}); err != nil {
		return err
	}
	if err := seedBrowsers(ctx, st, user, h); err != nil {
		return err
	}
	const verifier = "bench-verifier-bench-verifier-bench-verifier"
	sum := sha256.Sum256([]byte(verifier))
	for range maxWorkers {
		a, err := svc.Authorize(ctx, url.Values{
			"client_id": {"app"}, "redirect_uri": {"https://app.example.com/cb"}, "response_type": {"code"}, "scope": {"catalog.read"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		})
		if err != nil {
			return err
		}
		outcome, err := svc.Approve(ctx, a, &oauth.Session{ID: session.ID, SID: session.ID, UserID: user.ID, ACR: session.ACR, AMR: session.AMR, AuthTime: now})
		if err != nil {
			return err
		}
		u, err := url.Parse(outcome.Location)
		if err != nil {
			return err
		}
		res, err := svc.Token(ctx, oauth.Request{Params: url.Values{
			"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": {u.Query().Get("code")}, "code_verifier": {verifier},
		}})
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		h.RefreshTokens = append(h.RefreshTokens, res.RefreshToken.Reveal())
		h.AccessToken = res.AccessToken.Reveal()
	}
	return nil
}

// seedBrowsers signs the person in, in a browser for each worker, and lets them
// agree to the client of the flow.
func seedBrowsers(ctx context.Context, st *store.Store, user account.User, h *hello) error {
	now := time.Now()
	for range maxWorkers {
		id := secret.NewID(now)
		cookie := secret.Encode(secret.SessionCookie, append(id[:], secret.Random(32)...))
		session := account.Session{
			ID: id, SID: id, Hash: cookie.Hash(), UserID: user.ID, ACR: token.ACRPassword, AMR: "pwd", AuthTime: now, CreatedAt: now,
			LastSeen: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
		}
		if err := st.Account().AddSession(ctx, session, secret.ID{}); err != nil {
			return err
		}
		h.FlowCookies = append(h.FlowCookies, "__Host-sallyport="+cookie.Reveal())
	}
	for _, id := range flowClients() {
		if err := st.OAuth().SaveConsent(ctx, oauth.Consent{UserID: user.ID, ClientID: id, Scope: "openid catalog.read", GrantedAt: now}); err != nil {
			return err
		}
	}
	return nil
}

func newRing(keys token.KeyStore) (*token.Ring, error) {
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		return nil, err
	}
	return token.OpenRing(context.Background(), keys, master, time.Now)
}
