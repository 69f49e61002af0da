package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// defaultState is where dev keeps its files.
const defaultState = ".sallyport"

type devOptions struct {
	listen string
	state  string
	reset  bool
	asJSON bool
}

func (p *program) devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: issuer, gateway, demo APIs, a demo web app and a demo user",
		Long: "Dev makes what it needs in a folder, runs issuer and gateway like serve does, with demo APIs behind\n" +
			"them, and prints where to look and what to try. Ctrl-C ends it; the next start keeps all data.",
		Example: "  sallyport dev\n  sallyport dev --listen 127.0.0.1:9443 --state ./other\n  sallyport dev --reset --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.dev(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8443", "loopback `ADDRESS` to listen on; the demo app takes the next port")
	cmd.Flags().StringVar(&o.state, "state", defaultState, "`FOLDER` for database, keys and certificates")
	cmd.Flags().BoolVar(&o.reset, "reset", false, "remove what dev made in the folder and start anew")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print one line of JSON when ready")
	return cmd
}

// dev holds what one run of the command has opened.
type dev struct {
	state                       *devState
	doors                       listeners
	app, backends               net.Listener
	issuer, appURL, backendsURL string
	mutualURL                   string
	caFile                      string
	password                    secret.Value
	mapsKey                     secret.Value // of the third-party API
	config                      *config
}

// dev binds its ports before it touches a file, and opens the database before
// it writes one that was there before.
func (p *program) dev(ctx context.Context, o devOptions) (err error) {
	ctx = untilSignal(ctx)
	tuneCollector(p.env)
	d := &dev{}
	defer d.close()
	if err := d.listen(ctx, o.listen); err != nil {
		return err
	}
	if d.state, err = openState(o.state, o.reset); err != nil {
		return err
	}
	if err := d.state.makeKeys(); err != nil {
		return err
	}
	if err := d.state.makePages(); err != nil {
		return err
	}
	if d.caFile, err = devCertificates(d.state.dir, p.now()); err != nil {
		return err
	}
	if err := d.state.checkSecrets(); err != nil {
		return err
	}
	if err := d.writeDocuments(); err != nil {
		return err
	}
	text := d.configText()
	if d.config, err = parseConfig(d.state.file(devConfigFile), text, nil); err != nil {
		return err
	}
	if err := mustHold(d.config, environment{now: p.now()}); err != nil {
		return err
	}
	logger := p.logger()
	n, err := openNode(ctx, d.config, logger, p.now)
	if err != nil {
		return interrupted(ctx, d.withAdvice(err))
	}
	defer n.close()
	if err := replaceFile(d.config.path, text, 0o600); err != nil {
		return err
	}
	if err := d.makeUser(ctx, n.current.Load().accounts); err != nil {
		return err
	}
	if err := d.setMapsKey(ctx, n); err != nil {
		return err
	}
	return d.run(ctx, p, n, logger, o.asJSON)
}

func (d *dev) withAdvice(err error) error {
	return fmt.Errorf("%w (to start with nothing: --reset, which removes all data in %s)", err, d.state.dir)
}

// listen takes five ports. Only this machine can reach them: the password is
// printed, and the backends speak plain HTTP.
func (d *dev) listen(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLoopback(host) {
		return fmt.Errorf("--listen %s: dev listens on this machine only: write for example 127.0.0.1:8443", address)
	}
	if d.doors.public, err = listen(ctx, address); err != nil {
		if errors.Is(err, errInUse) {
			return fmt.Errorf("%w: stop it, or choose another port with --listen", err)
		}
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	n := d.doors.public.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it is a TCP listener
	d.issuer = "https://localhost:" + strconv.Itoa(n)
	next := net.JoinHostPort(host, strconv.Itoa(n+1))
	if port == "0" || n == 65535 {
		next = net.JoinHostPort(host, "0")
	}
	if d.app, err = listen(ctx, next); err != nil {
		if d.app, err = listen(ctx, net.JoinHostPort(host, "0")); err != nil {
			return err
		}
	}
	d.appURL = "https://localhost:" + strconv.Itoa(d.app.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is a TCP listener
	if d.doors.ops, err = listen(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	if d.doors.mutual, err = listen(ctx, net.JoinHostPort(host, "0")); err != nil {
		return err
	}
	d.mutualURL = "https://localhost:" + strconv.Itoa(d.doors.mutual.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is a TCP listener
	if d.backends, err = listen(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	d.backendsURL = "http://" + d.backends.Addr().String()
	return nil
}

func (d *dev) close() {
	d.doors.close()
	for _, l := range []net.Listener{d.app, d.backends} {
		if l != nil {
			_ = l.Close()
		}
	}
	if d.state != nil {
		d.state.close()
	}
}

const demoUser = "demo"

// makeUser makes sure that the demo user has the password of the file.
func (d *dev) makeUser(ctx context.Context, accounts *account.Service) error {
	text, err := readSecret(d.state.file(devPasswordFile))
	if err != nil {
		return fmt.Errorf("read the demo password: %w: start anew with --reset", err)
	}
	d.password = secret.New(text)
	_, err = accounts.UserByName(ctx, demoUser)
	if !errors.Is(err, account.ErrNotFound) {
		return err
	}
	_, err = accounts.AddUser(ctx, account.NewUser{
		Username: demoUser, Name: "Demo Person", Email: "demo@example.com", EmailVerified: true, Password: d.password,
	})
	return err
}

// run serves demo and node until ctx ends.
func (d *dev) run(ctx context.Context, p *program, n *node, logger *slog.Logger, asJSON bool) error {
	client, err := d.trustingClient()
	if err != nil {
		return err
	}
	app, err := d.demoApp(client, logger, p.now)
	if err != nil {
		return err
	}
	audiences := map[string]string{}
	for _, a := range d.config.APIs {
		if a.connector == nil {
			audiences[a.Name] = a.Audience
		}
	}
	demo, err := newDemoBackends(d.issuer, audiences, client, p.now)
	if err != nil {
		return err
	}
	backends := newServer(demo.beside(newDemoMaps(d.mapsKey)), n.log)
	front := newServer(app, n.log)
	front.TLSConfig = n.public.TLSConfig.Clone()
	go func() { _ = backends.Serve(d.backends) }()
	go func() { _ = front.ServeTLS(d.app, "", "") }()
	defer func() { _ = errors.Join(front.Close(), backends.Close()) }()
	var printed error
	err = n.serve(ctx, d.doors, func() {
		logger.InfoContext(ctx, "ready", slog.String("issuer", d.issuer), slog.String("app", d.appURL))
		printed = d.print(p.stdout, asJSON)
	})
	return errors.Join(err, printed)
}

// trustingClient trusts the local CA and nothing else.
func (d *dev) trustingClient() (*http.Client, error) {
	pem, err := os.ReadFile(d.caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", d.caFile)
	}
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeaderBytes, IdleConnTimeout: idleTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}, nil
}

func (d *dev) demoApp(client *http.Client, logger *slog.Logger, now func() time.Time) (*demoApp, error) {
	text, err := readSecret(d.state.file(devWebSecret))
	if err != nil {
		return nil, err
	}
	apis := map[string]string{}
	for _, a := range d.config.APIs {
		if a.connector == nil {
			apis[a.Name] = d.issuer + a.Path
		}
	}
	keys, err := jose.NewRemoteKeys(jose.RemoteOptions{URL: d.issuer + "/.well-known/jwks.json", Fetch: fetchKeys(client), Now: now})
	if err != nil {
		return nil, err
	}
	return newDemoApp(&demoClient{
		issuer: d.issuer, clientID: demoWeb, secret: secret.New(text), redirectURI: d.appURL + "/callback", http: client, now: now,
		keys: keys,
	}, apis, logger), nil
}

// stateConfig is the configuration file of a state folder.
func stateConfig(dir string) string { return filepath.Join(dir, devConfigFile) }
