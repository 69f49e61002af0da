package storetest

import (
	"sync"

	"sallyport/internal/certificates"
)

var certificateTests = []test{
	{"certificates: what was set is read, replaced and removed, by its name", certificateItems},
	{"certificates: nodes that set the same item at once leave one of theirs, whole", certificateRace},
}

func certificateItems(r *rig) {
	s := r.Certificates
	_, err := s.CertificateItem(r.ctx(), "auth.example.com")
	r.is("nothing yet", err, certificates.ErrNoItem)
	r.ok(s.RemoveCertificateItem(r.ctx(), "auth.example.com"))
	r.ok(s.SetCertificateItem(r.ctx(), "auth.example.com", "one"))
	r.ok(s.SetCertificateItem(r.ctx(), "auth.example.com+rsa", "other"))
	r.ok(s.SetCertificateItem(r.ctx(), "auth.example.com", "two"))
	for name, want := range map[string]string{"auth.example.com": "two", "auth.example.com+rsa": "other"} {
		if got, err := s.CertificateItem(r.ctx(), name); got != want || err != nil {
			r.t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	r.ok(s.RemoveCertificateItem(r.ctx(), "auth.example.com"))
	_, err = s.CertificateItem(r.ctx(), "auth.example.com")
	r.is("removed", err, certificates.ErrNoItem)
	if got, err := s.CertificateItem(r.ctx(), "auth.example.com+rsa"); got != "other" || err != nil {
		r.t.Errorf("the other one: %q, %v", got, err)
	}
	_, err = s.CertificateItem(r.ctx(), "\x00")
	r.is("a name that cannot be", err, certificates.ErrNoItem)
}

func certificateRace(r *rig) {
	var wg sync.WaitGroup
	for i := range fighters {
		wg.Go(func() {
			if err := r.Certificates.SetCertificateItem(r.ctx(), "token", string(rune('a'+i))); err != nil {
				r.t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := r.Certificates.CertificateItem(r.ctx(), "token"); len(got) != 1 || err != nil {
		r.t.Errorf("%q, %v", got, err)
	}
}
