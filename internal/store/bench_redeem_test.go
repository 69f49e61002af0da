package store_test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// BenchmarkRedeemCode is the first write of an app: what the grant stands on is
// read, and what the person agreed to.
func BenchmarkRedeemCode(b *testing.B) {
	s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), time.Now)
	now, ctx := time.Now(), b.Context()
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	fail(s.Account().AddUser(ctx, account.User{ID: "u", Username: "u", PasswordHash: "$x", CreatedAt: now}))
	session := account.Session{ID: secret.NewID(now), UserID: "u", CreatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour)}
	fail(s.Account().AddSession(ctx, session, secret.ID{}))
	fail(s.OAuth().SaveConsent(ctx, oauth.Consent{UserID: "u", ClientID: "app", Scope: "openid email api.read", GrantedAt: now}))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				g := oauth.Grant{
					ID: secret.NewID(now), ClientID: "app", UserID: "u", SID: session.ID, Scope: "openid api.read", CreatedAt: now, Refreshable: true,
					Generation: 1, Salt: secret.Random(16), RotatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
				}
				if err := s.OAuth().RedeemCode(ctx, g); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
}
