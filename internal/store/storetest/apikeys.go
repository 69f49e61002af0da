package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/apikey"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var apiKeyTests = []test{
	{"T027 an API key comes back as it was stored", apiKeyRoundTrip},
	{"T027 a revoked API key is in the feed, once", apiKeyRevoke},
	{"T021 a key with a successor ends sooner, never later", apiKeySucceed},
	{"T027 sixteen revoke an API key and one wins", raceRevokeAPIKey},
	{"an API key that has expired long ago is deleted", apiKeyExpire},
}

func (r *rig) apiKey() apikey.Key {
	return apikey.Key{
		ID: secret.NewID(r.clock()), Hash: secret.NewHandle(secret.APIKey).Hash(), API: "weather", Operations: []string{"GET /weather"},
		Owner: "owner@example.com", CreatedAt: r.clock(), ExpiresAt: r.clock().Add(time.Hour),
	}
}

func (r *rig) addAPIKey() apikey.Key {
	r.t.Helper()
	k := r.apiKey()
	r.ok(r.APIKeys.AddAPIKey(r.ctx(), k))
	return k
}

func (r *rig) wantAPIKey(want apikey.Key) {
	r.t.Helper()
	got, err := r.APIKeys.APIKey(r.ctx(), want.Hash)
	r.ok(err)
	if d := cmp.Diff(want, got); d != "" {
		r.t.Error(d)
	}
}

func apiKeyRoundTrip(r *rig) {
	k := r.addAPIKey()
	r.wantAPIKey(k)
	_, err := r.APIKeys.APIKey(r.ctx(), secret.NewHandle(secret.APIKey).Hash())
	r.is("another key", err, apikey.ErrNotFound)
	r.advance(time.Minute)
	r.ok(r.APIKeys.APIKeysUsed(r.ctx(), map[secret.ID]time.Time{k.ID: r.clock(), secret.NewID(r.clock()): r.clock()}))
	r.ok(r.APIKeys.APIKeysUsed(r.ctx(), map[secret.ID]time.Time{k.ID: r.clock().Add(-time.Second)}))
	k.UsedAt = r.clock()
	r.wantAPIKey(k)
	other := r.addAPIKey()
	all, err := r.APIKeys.APIKeys(r.ctx())
	r.ok(err)
	if len(all) != 2 || all[0].ID != k.ID || all[1].ID != other.ID {
		r.t.Errorf("all: %+v", all)
	}
}

func apiKeyRevoke(r *rig) {
	k, other := r.addAPIKey(), r.addAPIKey()
	r.ok(r.APIKeys.RevokeAPIKey(r.ctx(), k.ID, revocation.ReasonAdmin, r.clock(), r.keep()))
	k.RevokedAt = r.clock()
	r.wantAPIKey(k)
	r.wantAPIKey(other)
	r.is("again", r.APIKeys.RevokeAPIKey(r.ctx(), k.ID, revocation.ReasonAdmin, r.clock(), r.keep()), apikey.ErrStale)
	r.is("nobody's", r.APIKeys.RevokeAPIKey(r.ctx(), secret.NewID(r.clock()), revocation.ReasonAdmin, r.clock(), r.keep()), apikey.ErrNotFound)
	r.wantFeed(revocation.Entry{Kind: revocation.APIKey, ID: k.ID.String(), Reason: revocation.ReasonAdmin, ExpiresAt: r.keep()})
}

func apiKeySucceed(r *rig) {
	long, short := r.addAPIKey(), r.addAPIKey()
	r.ok(r.APIKeys.SucceedAPIKey(r.ctx(), long.ID, "job", r.clock().Add(time.Minute), r.clock(), r.keep()))
	r.ok(r.APIKeys.SucceedAPIKey(r.ctx(), short.ID, "job", r.clock().Add(24*time.Hour), r.clock(), r.keep()))
	long.ExpiresAt, long.Successor, short.Successor = r.clock().Add(time.Minute), "job", "job"
	r.wantAPIKey(long)
	r.wantAPIKey(short)
	r.is("again", r.APIKeys.SucceedAPIKey(r.ctx(), long.ID, "other", r.clock(), r.clock(), r.keep()), apikey.ErrStale)
	r.advance(2 * time.Minute)
	r.is("revoking what has ended", r.APIKeys.RevokeAPIKey(r.ctx(), long.ID, revocation.ReasonAdmin, r.clock(), r.keep()), apikey.ErrStale)
}

func raceRevokeAPIKey(r *rig) {
	k := r.addAPIKey()
	won := r.fight(apikey.ErrStale, func(int) error {
		return r.APIKeys.RevokeAPIKey(r.ctx(), k.ID, revocation.ReasonAdmin, r.clock(), r.keep())
	})
	if n := len(r.entries()); won != 1 || n != 1 {
		r.t.Errorf("%d revoked it, with %d entries in the feed; want one of each", won, n)
	}
}

func apiKeyExpire(r *rig) {
	k := r.addAPIKey()
	r.advance(2 * time.Hour)
	if _, err := r.Expire(r.ctx(), r.clock()); err != nil {
		r.t.Fatal(err)
	}
	r.wantAPIKey(k)
	r.advance(91 * 24 * time.Hour)
	if _, err := r.Expire(r.ctx(), r.clock()); err != nil {
		r.t.Fatal(err)
	}
	_, err := r.APIKeys.APIKey(r.ctx(), k.Hash)
	r.is("after a quarter", err, apikey.ErrNotFound)
}
