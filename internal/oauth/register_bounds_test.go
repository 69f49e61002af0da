package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

func TestCL14CL17AnUpdateDoesNotShakeOffTheSoftwareStatement(t *testing.T) {
	t.Parallel()
	r, d := newRig(t), newDirectory(t)
	s := r.registering(func(o *oauth.Options) {
		o.Registration.Statements = []oauth.StatementIssuer{{Issuer: "https://directory.example.com", Keys: d.keys(t)}}
	})
	statement := d.statement(t, r, map[string]any{"client_name": "Audited Shop", "redirect_uris": []string{"https://shop.example.com/cb"}})
	made := registered(t, s, changed(webMetadata, "software_statement", statement))
	id, tok := made["client_id"].(string), made["registration_access_token"].(string)
	bare := changed(webMetadata, "client_id", id, "redirect_uris", []string{"https://evil.example/cb"})
	_, err := s.UpdateRegistration(t.Context(), bearing(tok), id, []byte(bare))
	wantCode(t, err, oauth.InvalidSoftwareStatement)
	got := answered(t)(s.UpdateRegistration(t.Context(), bearing(tok), id, []byte(changed(bare, "software_statement", statement))))
	if fmt.Sprint(got["redirect_uris"]) != "[https://shop.example.com/cb]" || got["client_name"] != "Audited Shop" {
		t.Errorf("with the statement: %v", got)
	}
}

func TestCL14SoftwareStatementsMayBeLong(t *testing.T) {
	t.Parallel()
	r, d := newRig(t), newDirectory(t)
	s := r.registering(func(o *oauth.Options) {
		o.Registration.Statements = []oauth.StatementIssuer{{Issuer: "https://directory.example.com", Keys: d.keys(t)}}
	})
	long := d.statement(t, r, map[string]any{"org_claims": strings.Repeat("x", 5000)})
	if got := registered(t, s, changed(webMetadata, "software_statement", long)); got["software_statement"] != long {
		t.Errorf("%v", got)
	}
	_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "software_statement", d.statement(t, r, map[string]any{"org_claims": strings.Repeat("x", 8<<10)}))))
	wantCode(t, err, oauth.InvalidClientMetadata)
}

func TestCL12StrangersWhoFillTheRoomShutNoPartnerOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.registering(func(o *oauth.Options) { o.Registration.MaxClients = 1 })
	tok := secret.NewHandle(secret.InitialAccess)
	err := r.store.OAuth().AddInitialToken(t.Context(), oauth.InitialToken{Hash: tok.Hash(), UsesLeft: 1, CreatedAt: r.clock.now(), ExpiresAt: r.clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	registered(t, s, webMetadata)
	_, err = s.Register(t.Context(), oauth.Request{}, []byte(webMetadata))
	wantCode(t, err, oauth.TemporarilyUnavailable)
	if _, err := s.Register(t.Context(), bearing(tok.Reveal()), []byte(webMetadata)); err != nil {
		t.Errorf("with an initial access token: %v", err)
	}
}

func TestCL15ARegistrationMakesUsAskFewAddressesAndNotForLong(t *testing.T) {
	t.Parallel()
	var asked []string
	var left time.Duration
	s := newRig(t).registering(func(o *oauth.Options) {
		o.Registration.AppLinks = true
		o.Fetch = func(ctx context.Context, uri string) ([]byte, error) {
			asked = append(asked, uri)
			if end, ok := ctx.Deadline(); ok {
				left = time.Until(end)
			}
			return []byte(androidFile), nil
		}
	})
	body := func(hosts int) []byte {
		var uris []string
		for i := range hosts {
			uris = append(uris, fmt.Sprintf("https://h%d.example.com/cb", i), fmt.Sprintf("https://h%d.example.com/other", i))
		}
		links := map[string]any{"android_package": "com.example.shop", "android_cert_fingerprints": []string{certA}}
		return []byte(changed(webMetadata, "application_type", "native", "redirect_uris", uris, "app_links", links))
	}
	_, err := s.Register(t.Context(), oauth.Request{}, body(4))
	wantCode(t, err, oauth.InvalidRedirectURI)
	if len(asked) != 0 {
		t.Errorf("asked %v", asked)
	}
	if _, err := s.Register(t.Context(), oauth.Request{}, body(3)); err != nil || len(asked) != 3 {
		t.Errorf("three hosts: %v, asked %v", err, asked)
	}
	if left <= 0 || left > 15*time.Second {
		t.Errorf("an address that is slow holds the registration for %v", left)
	}
}

func TestID02PseudonymsOfASectorNeedTheWayBackToIt(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering(func(o *oauth.Options) {
		o.Registration.GrantTypes = []string{"authorization_code", "refresh_token", device, ciba}
	})
	pairwise := changed(webMetadata, "subject_type", "pairwise")
	registered(t, s, pairwise)
	registered(t, s, changed(webMetadata, "grant_types", []string{"authorization_code", device}))
	for _, grant := range []string{device, ciba} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(pairwise, "grant_types", []string{"authorization_code", grant})))
		wantCode(t, err, oauth.InvalidClientMetadata)
	}
}

const (
	device = "urn:ietf:params:oauth:grant-type:device_code"
	ciba   = "urn:openid:params:grant-type:ciba"
)

func TestADocumentThatWasTakenAwayIsNoClientAnyMore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		good bool
	}{"nothing is there": {fmt.Errorf("404: %w", oauth.ErrNoDocument), false}, "the host is down": {errors.New("no route"), true}} {
		r := newRig(t)
		p := &publisher{body: map[string]string{document: documentOf(document)}}
		var instead error
		r.publishing(p, func(o *oauth.Options) {
			o.FetchDocument = func(ctx context.Context, uri string) ([]byte, time.Duration, error) {
				if instead != nil {
					return nil, 0, instead
				}
				return p.fetch(ctx, uri)
			}
		})
		if err := r.mayBegin(document); err != nil {
			t.Fatal(err)
		}
		instead = tc.err
		r.clock.advance(2 * time.Hour)
		if err := r.mayBegin(document); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesThatShowNothingAreNoNames(t *testing.T) {
	t.Parallel()
	s := newRig(t).registering()
	for _, name := range []string{"\u3164", "\u2800\u2800", "Shop\u1160", "\uffa0"} {
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(changed(webMetadata, "client_name", name)))
		wantCode(t, err, oauth.InvalidClientMetadata)
	}
	registered(t, s, changed(webMetadata, "client_name", "가게"))
}
