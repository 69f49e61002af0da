package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/vault"
)

var vaultTests = []test{
	{"EG07 a secret comes back as it was stored, and its successor counts", secretRoundTrip},
	{"EG07 the version before a secret lives for its overlap only", secretOverlap},
	{"a compromised secret is destroyed, and one that is set later counts", secretCompromise},
	{"a removed secret leaves nothing", secretRemove},
	{"EG07 sixteen set the same secret and one wins", raceSetSecret},
	{"sixteen compromise a secret and one does", raceCompromiseSecret},
}

func (r *rig) secretVersion(name string, number int64) vault.Version {
	return vault.Version{Name: name, Number: number, ID: secret.NewID(r.clock()), Kind: vault.Text, Sealed: "spss_sealed", SetBy: "root", CreatedAt: r.clock()}
}

func (r *rig) secretNews(name, what string) revocation.Entry {
	return revocation.Entry{Kind: revocation.Secret, ID: name, Reason: what, ExpiresAt: r.keep()}
}

func (r *rig) wantVersions(name string, want ...vault.Version) {
	r.t.Helper()
	got, err := r.Vault.Versions(r.ctx(), name)
	r.ok(err)
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error(d)
	}
}

func secretRoundTrip(r *rig) {
	one := r.secretVersion("maps", 1)
	r.ok(r.Vault.SetVersion(r.ctx(), one, r.clock(), r.keep()))
	r.wantVersions("maps", one)
	r.wantFeed(r.secretNews("maps", revocation.SecretSet))
	for _, name := range []string{"map", "", "\x00", "\xff"} {
		r.wantVersions(name)
	}
	r.advance(time.Minute)
	used := r.clock()
	r.ok(r.Vault.SecretsUsed(r.ctx(), map[string]time.Time{"maps": used, "gone": used}))
	r.ok(r.Vault.SecretsUsed(r.ctx(), map[string]time.Time{"maps": used.Add(-time.Second)}))
	one.UsedAt = used
	two := r.secretVersion("maps", 2)
	r.ok(r.Vault.SetVersion(r.ctx(), two, r.clock(), r.keep()))
	one.Until, one.Sealed = r.clock(), ""
	r.wantVersions("maps", two, one)
	all, err := r.Vault.AllVersions(r.ctx())
	r.ok(err)
	if len(all) != 2 || all[0].Number != 2 {
		r.t.Errorf("all: %+v", all)
	}
	for _, n := range []int64{0, 1, 2, 4} {
		r.is("a number that does not come next", r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", n), r.clock(), r.keep()), vault.ErrStale)
	}
}

func secretOverlap(r *rig) {
	one := r.secretVersion("maps", 1)
	r.ok(r.Vault.SetVersion(r.ctx(), one, r.clock(), r.keep()))
	two := r.secretVersion("maps", 2)
	r.ok(r.Vault.SetVersion(r.ctx(), two, r.clock().Add(time.Hour), r.keep()))
	one.Until = r.clock().Add(time.Hour)
	r.wantVersions("maps", two, one)
	three := r.secretVersion("maps", 3)
	r.ok(r.Vault.SetVersion(r.ctx(), three, r.clock().Add(2*time.Hour), r.keep()))
	two.Until = r.clock().Add(2 * time.Hour)
	r.wantVersions("maps", three, two, one) // the first one lives no longer by it
	r.advance(time.Hour)
	if _, err := r.Expire(r.ctx(), r.clock()); err != nil {
		r.t.Fatal(err)
	}
	one.Sealed = ""
	r.wantVersions("maps", three, two, one)
}

func secretCompromise(r *rig) {
	r.ok(r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 1), r.clock(), r.keep()))
	r.ok(r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 2), r.clock().Add(time.Hour), r.keep()))
	other := r.secretVersion("other", 1)
	r.ok(r.Vault.SetVersion(r.ctx(), other, r.clock(), r.keep()))
	n, err := r.Vault.CompromiseSecret(r.ctx(), "maps", r.clock(), r.keep())
	r.ok(err)
	if n != 2 {
		r.t.Errorf("%d versions died, want the newest and the one in overlap", n)
	}
	all, err := r.Vault.Versions(r.ctx(), "maps")
	r.ok(err)
	for _, v := range all {
		if v.Sealed != "" || !v.CompromisedAt.Equal(r.clock()) {
			r.t.Errorf("%+v lives", v)
		}
	}
	r.wantVersions("other", other)
	_, err = r.Vault.CompromiseSecret(r.ctx(), "nobody", r.clock(), r.keep())
	r.is("one that does not exist", err, vault.ErrNoSecret)
	three := r.secretVersion("maps", 3)
	r.ok(r.Vault.SetVersion(r.ctx(), three, r.clock(), r.keep()))
	if all, err = r.Vault.Versions(r.ctx(), "maps"); err != nil || all[0].Sealed == "" || all[1].Sealed != "" {
		r.t.Errorf("after a new one: %+v, %v", all, err)
	}
}

func secretRemove(r *rig) {
	r.ok(r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 1), r.clock(), r.keep()))
	r.ok(r.Vault.RemoveSecret(r.ctx(), "maps", r.keep()))
	r.wantVersions("maps")
	r.is("again", r.Vault.RemoveSecret(r.ctx(), "maps", r.keep()), vault.ErrNoSecret)
	r.wantFeed(r.secretNews("maps", revocation.SecretSet), r.secretNews("maps", revocation.SecretRemoved))
}

func raceSetSecret(r *rig) {
	r.ok(r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 1), r.clock(), r.keep()))
	won := r.fight(vault.ErrStale, func(int) error {
		return r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 2), r.clock(), r.keep())
	})
	if won != 1 {
		r.t.Errorf("%d set version 2, want one", won)
	}
	if n := len(r.entries()); n != 2 {
		r.t.Errorf("%d entries in the feed, want 2", n)
	}
}

func raceCompromiseSecret(r *rig) {
	r.ok(r.Vault.SetVersion(r.ctx(), r.secretVersion("maps", 1), r.clock(), r.keep()))
	killed := make(chan int, fighters)
	r.fight(nil, func(int) error {
		n, err := r.Vault.CompromiseSecret(r.ctx(), "maps", r.clock(), r.keep())
		killed <- n
		return err
	})
	close(killed)
	total := 0
	for n := range killed {
		total += n
	}
	if n := len(r.entries()); total != 1 || n != 2 {
		r.t.Errorf("%d killed one version, with %d entries in the feed; want 1 and 2", total, n)
	}
}
