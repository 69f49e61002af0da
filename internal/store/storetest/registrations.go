package storetest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

var registrationTests = []test{
	{"CL16 a registration comes back as it was stored", registrationRoundTrip},
	{"CL17 an update replaces everything but what a client is", updateRegistration},
	{"CL18 removing a registration ends what the client has", removeRegistration},
	{"a client that was never used ends, one that was used stays", expireRegistration},
	{"CL12 sixteen register with a token of five uses and five win", raceInitialToken},
	{"sixteen want the last three places and three win", raceLastPlace},
	{"CL16 sixteen update a registration and one wins", raceUpdateRegistration},
	{"sixteen remove a registration and one wins", raceRemoveRegistration},
	{"registering, updating, removing and expiring at once deadlock nobody", raceRegistrations},
	{"a leaked registration token ends once and the client lives", leakRegistration},
	{"MD11 the redirect URIs of browser clients are known", browserRedirects},
	{"initial access tokens come and go", initialTokens},
}

const plenty = 1000

func (r *rig) registration(id string) oauth.Registration {
	c := r.client(id)
	c.Origin = oauth.OriginRegistered
	return oauth.Registration{Client: c, Token: secret.NewHandle(secret.Registration).Hash(), Statement: "e30.e30.x", ExpiresAt: r.clock().Add(time.Hour)}
}

func (r *rig) register(id string) oauth.Registration {
	r.t.Helper()
	reg := r.registration(id)
	r.ok(r.OAuth.Register(r.ctx(), reg, nil, plenty, r.keep()))
	return reg
}

func registrationRoundTrip(r *rig) {
	want := r.register("reg")
	want.Client.Unused = true
	got, err := r.OAuth.Registration(r.ctx(), "reg")
	r.ok(err)
	if d := cmp.Diff(want, got, stored); d != "" {
		r.t.Error(d)
	}
	r.ok(r.OAuth.AddClient(r.ctx(), r.client("web")))
	for _, id := range []string{"web", "nobody", "", "\x00", "\xff"} {
		_, err := r.OAuth.Registration(r.ctx(), id)
		r.is("registration of "+id, err, oauth.ErrNotFound)
	}
	r.is("the same client_id", r.OAuth.Register(r.ctx(), r.registration("web"), nil, plenty, r.keep()), oauth.ErrExists)
	if n := len(r.entries()); n != 1 {
		r.t.Errorf("%d entries in the feed, want one for the client that is new", n)
	}
}

func updateRegistration(r *rig) {
	old := r.register("reg")
	u, _, _ := r.signedIn("ada")
	r.ok(r.OAuth.SaveConsent(r.ctx(), oauth.Consent{UserID: u.ID, ClientID: "reg", Scope: "openid", GrantedAt: r.clock()}))
	next := r.registration("reg")
	next.Client.Name, next.Client.Scope, next.Client.RedirectURIs, next.Statement = "New", "openid", []string{"https://new.example/"}, ""
	next.Client.Contacts, next.Client.Settings, next.Client.DPoPBound = nil, oauth.Settings{ClientURI: "https://new.example/"}, true
	r.is("another token", r.OAuth.UpdateRegistration(r.ctx(), next, next.Token, r.clock(), r.keep()), oauth.ErrStale)
	r.ok(r.OAuth.UpdateRegistration(r.ctx(), next, old.Token, r.clock(), r.keep()))
	got, err := r.OAuth.Registration(r.ctx(), "reg")
	r.ok(err)
	want := next
	want.Client.Type, want.Client.Epoch, want.Client.CreatedAt, want.Client.Origin, want.Client.Unused = old.Client.Type, old.Client.Epoch, old.Client.CreatedAt, old.Client.Origin, true
	want.Client.Resources = old.Client.Resources
	if d := cmp.Diff(want, got, stored); d != "" {
		r.t.Error(d)
	}
	_, err = r.OAuth.Consent(r.ctx(), u.ID, "reg")
	r.is("consent to what it was", err, oauth.ErrNotFound)
	r.ok(r.OAuth.SetClientDisabled(r.ctx(), "reg", true, r.clock(), r.keep()))
	r.is("a disabled client", r.OAuth.UpdateRegistration(r.ctx(), old, next.Token, r.clock(), r.keep()), oauth.ErrStale)
}

func removeRegistration(r *rig) {
	reg := r.register("shop")
	s := r.addSession(r.addUser("ada"))
	g := r.grant(s)
	g.ClientID, g.ClientEpoch = "shop", reg.Client.Epoch
	r.ok(r.OAuth.RedeemCode(r.ctx(), g))
	r.is("another token", r.OAuth.RemoveRegistration(r.ctx(), "shop", secret.Hash{1}, r.clock(), r.keep()), oauth.ErrStale)
	_, err := r.OAuth.Client(r.ctx(), "shop")
	r.ok(err)
	r.ok(r.OAuth.RemoveRegistration(r.ctx(), "shop", reg.Token, r.clock(), r.keep()))
	_, err = r.OAuth.Client(r.ctx(), "shop")
	r.is("client", err, oauth.ErrNotFound)
	_, err = r.OAuth.Grant(r.ctx(), g.ID)
	r.is("grant", err, oauth.ErrNotFound)
	r.is("again", r.OAuth.RemoveRegistration(r.ctx(), "shop", reg.Token, r.clock(), r.keep()), oauth.ErrStale)
}

func expireRegistration(r *rig) {
	r.register("idle")
	r.register("busy")
	r.ok(r.OAuth.UseRegistration(r.ctx(), "busy"))
	r.ok(r.OAuth.UseRegistration(r.ctx(), "nobody"))
	if c, err := r.OAuth.Client(r.ctx(), "busy"); err != nil || c.Unused {
		r.t.Errorf("used: %v, %v", c.Unused, err)
	}
	for _, step := range []struct {
		after time.Duration
		want  error
	}{{time.Hour - time.Second, nil}, {time.Hour, oauth.ErrNotFound}, {24 * time.Hour, oauth.ErrNotFound}} {
		_, err := r.Expire(r.ctx(), start.Add(step.after))
		r.ok(err)
		if _, err := r.OAuth.Client(r.ctx(), "idle"); !errors.Is(err, step.want) {
			r.t.Errorf("idle after %v: %v, want %v", step.after, err, step.want)
		}
	}
	_, err := r.OAuth.Registration(r.ctx(), "busy")
	r.ok(err)
}

func raceInitialToken(r *rig) {
	h := secret.NewHandle(secret.InitialAccess).Hash()
	r.ok(r.OAuth.AddInitialToken(r.ctx(), oauth.InitialToken{Hash: h, UsesLeft: 5, CreatedAt: r.clock(), ExpiresAt: r.clock().Add(time.Hour)}))
	won := r.fight(oauth.ErrStale, func(int) error {
		return r.OAuth.Register(r.ctx(), r.registration(secret.NewID(r.clock()).String()), &h, plenty, r.keep())
	})
	if won != 5 {
		r.t.Errorf("%d registered", won)
	}
	_, err := r.OAuth.InitialToken(r.ctx(), h, r.clock())
	r.is("a token that is used up", err, oauth.ErrNotFound)
}

func raceLastPlace(r *rig) {
	won := r.fight(oauth.ErrFull, func(int) error {
		return r.OAuth.Register(r.ctx(), r.registration(secret.NewID(r.clock()).String()), nil, 3, r.keep())
	})
	if won != 3 {
		r.t.Errorf("%d registered", won)
	}
	list, err := r.OAuth.Clients(r.ctx())
	r.ok(err)
	r.ok(r.OAuth.RemoveClient(r.ctx(), list[0].ID, r.clock(), r.keep()))
	r.ok(r.OAuth.Register(r.ctx(), r.registration("next"), nil, 3, r.keep())) // there is a place again
	r.is("one more", r.OAuth.Register(r.ctx(), r.registration("more"), nil, 3, r.keep()), oauth.ErrFull)
}

func raceUpdateRegistration(r *rig) {
	reg := r.register("reg")
	won := r.fight(oauth.ErrStale, func(int) error {
		return r.OAuth.UpdateRegistration(r.ctx(), r.registration("reg"), reg.Token, r.clock(), r.keep())
	})
	if won != 1 {
		r.t.Errorf("%d updated", won)
	}
}

func raceRemoveRegistration(r *rig) {
	reg := r.register("reg")
	won := r.fight(oauth.ErrStale, func(int) error {
		return r.OAuth.RemoveRegistration(r.ctx(), "reg", reg.Token, r.clock(), r.keep())
	})
	if won != 1 {
		r.t.Errorf("%d removed", won)
	}
}

func raceRegistrations(r *rig) {
	var regs []oauth.Registration
	for range fighters {
		regs = append(regs, r.register(secret.NewID(r.clock()).String()))
	}
	r.fight(oauth.ErrStale, func(i int) error {
		reg := regs[i/2] // two for each
		switch i % 4 {
		case 0:
			return r.OAuth.RemoveRegistration(r.ctx(), reg.Client.ID, reg.Token, r.clock(), r.keep())
		case 1:
			next := reg
			next.Token = secret.NewHandle(secret.Registration).Hash()
			return r.OAuth.UpdateRegistration(r.ctx(), next, reg.Token, r.clock(), r.keep())
		case 2:
			_, err := r.Expire(r.ctx(), start.Add(2*time.Hour))
			return err
		}
		return r.OAuth.Register(r.ctx(), r.registration(secret.NewID(r.clock()).String()), nil, plenty, r.keep())
	})
}

func leakRegistration(r *rig) {
	reg := r.register("reg")
	initial := secret.NewHandle(secret.InitialAccess).Hash()
	r.ok(r.OAuth.AddInitialToken(r.ctx(), oauth.InitialToken{Hash: initial, UsesLeft: 5, CreatedAt: r.clock(), ExpiresAt: r.clock().Add(time.Hour)}))
	for h, want := range map[secret.Hash]string{reg.Token: "reg", initial: ""} {
		owner, err := r.OAuth.RegistrationOwner(r.ctx(), h)
		r.ok(err)
		if owner != want {
			r.t.Errorf("owner %q, want %q", owner, want)
		}
		for _, alive := range []bool{true, false} {
			done, err := r.OAuth.LeakRegistration(r.ctx(), h, oauth.Ending{Reason: "leaked", Now: r.clock(), Keep: r.keep()})
			r.ok(err)
			if done.Alive != alive {
				r.t.Errorf("alive %t, want %t", done.Alive, alive)
			}
		}
	}
	got, err := r.OAuth.Registration(r.ctx(), "reg")
	r.ok(err)
	if got.Token != (secret.Hash{}) {
		r.t.Error("the token still counts")
	}
	_, err = r.OAuth.RegistrationOwner(r.ctx(), secret.Hash{7})
	r.is("nobody's token", err, oauth.ErrNotFound)
	r.is("an ended token is nobody's", r.OAuth.UpdateRegistration(r.ctx(), reg, reg.Token, r.clock(), r.keep()), oauth.ErrStale)
}

func browserRedirects(r *rig) {
	spa, off, web := r.client("spa"), r.client("off"), r.client("web")
	spa.Type, spa.RedirectURIs = oauth.Browser, []string{"https://spa.example/cb", "https://spa2.example/cb"}
	off.Type, off.Disabled = oauth.Browser, true
	for _, c := range []oauth.Client{spa, off, web} {
		r.ok(r.OAuth.AddClient(r.ctx(), c))
	}
	got, err := r.OAuth.BrowserRedirects(r.ctx())
	r.ok(err)
	if d := cmp.Diff(spa.RedirectURIs, got); d != "" {
		r.t.Error(d)
	}
	if n := len(r.entries()); n != 2 {
		r.t.Errorf("%d entries in the feed, want one for each browser client", n)
	}
}

func initialTokens(r *rig) {
	want := oauth.InitialToken{Hash: secret.NewHandle(secret.InitialAccess).Hash(), Note: "partner “1”", UsesLeft: 2, CreatedAt: r.clock(), ExpiresAt: r.clock().Add(time.Hour)}
	r.ok(r.OAuth.AddInitialToken(r.ctx(), want))
	r.is("again", r.OAuth.AddInitialToken(r.ctx(), want), oauth.ErrExists)
	got, err := r.OAuth.InitialToken(r.ctx(), want.Hash, r.clock())
	r.ok(err)
	list, err := r.OAuth.InitialTokens(r.ctx())
	r.ok(err)
	if d := cmp.Diff([]oauth.InitialToken{want, want}, append(list, got)); d != "" {
		r.t.Error(d)
	}
	_, err = r.OAuth.InitialToken(r.ctx(), want.Hash, want.ExpiresAt)
	r.is("expired", err, oauth.ErrNotFound)
	r.is("register when it has expired", r.registerLate(want), oauth.ErrStale)
	r.ok(r.OAuth.RemoveInitialToken(r.ctx(), want.Hash))
	if err := r.OAuth.RemoveInitialToken(r.ctx(), want.Hash); !errors.Is(err, oauth.ErrNotFound) {
		r.t.Error(err)
	}
}

func (r *rig) registerLate(i oauth.InitialToken) error {
	late := r.registration("late")
	late.Client.CreatedAt = i.ExpiresAt
	return r.OAuth.Register(r.ctx(), late, &i.Hash, plenty, r.keep())
}
