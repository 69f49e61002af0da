package oauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sallyport/internal/oauth"
)

const (
	certA = "14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"
	certB = "00:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"
)

const androidFile = `[{"relation":["delegate_permission/common.get_login_creds"],"target":{"namespace":"web","site":"https://x.example"}},
	{"relation":["delegate_permission/common.handle_all_urls"],"target":{"namespace":"android_app","package_name":"com.example.shop","sha256_cert_fingerprints":["` + certA + `"]}}]`

func appleFile(details string) string { return `{"applinks":{"apps":[],"details":[` + details + `]}}` }

// linked is a native client with https redirect URIs.
func linked(l oauth.AppLinks, uris ...string) *oauth.Client {
	if len(uris) == 0 {
		uris = []string{"https://shop.example.com/callback", "com.example.shop:/cb"}
	}
	return &oauth.Client{ID: "app", Type: oauth.Native, RedirectURIs: uris, Settings: oauth.Settings{AppLinks: l}}
}

func problems(t *testing.T, c *oauth.Client, files map[string]string) []oauth.AppLinkProblem {
	t.Helper()
	return oauth.AppLinkProblems(t.Context(), func(_ context.Context, uri string) ([]byte, error) {
		body, ok := files[uri]
		if !ok {
			return nil, errors.New("nothing there")
		}
		return []byte(body), nil
	}, c)
}

func TestAssetLinks(t *testing.T) {
	t.Parallel()
	const file = "https://shop.example.com/.well-known/assetlinks.json"
	for name, tc := range map[string]struct {
		links oauth.AppLinks
		body  string
		good  bool
	}{
		"package and certificate":   {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, androidFile, true},
		"another package":           {oauth.AppLinks{AndroidPackage: "com.example.evil", AndroidCerts: []string{certA}}, androidFile, false},
		"another certificate":       {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certB}}, androidFile, false},
		"one of two certificates":   {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA, certB}}, androidFile, false},
		"no certificate to hold it": {oauth.AppLinks{AndroidPackage: "com.example.shop"}, androidFile, false},
		"another relation":          {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `[{"relation":["x"],"target":{"namespace":"android_app","package_name":"com.example.shop","sha256_cert_fingerprints":["` + certA + `"]}}]`, false},
		"another namespace":         {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `[{"relation":["delegate_permission/common.handle_all_urls"],"target":{"namespace":"web","package_name":"com.example.shop","sha256_cert_fingerprints":["` + certA + `"]}}]`, false},
		"names in another case":     {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `[{"Relation":["delegate_permission/common.handle_all_urls"],"target":{"namespace":"android_app","package_name":"com.example.shop","sha256_cert_fingerprints":["` + certA + `"]}}]`, false},
		"no array":                  {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `{}`, false},
		"two arrays":                {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, androidFile + `,"b":[]`, false},
		"no JSON":                   {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `<html>`, false},
		"a name twice":              {oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}, `[{"relation":[],"relation":[]}]`, false},
	} {
		if got := problems(t, linked(tc.links), map[string]string{file: tc.body}); (len(got) == 0) != tc.good {
			t.Errorf("%s: %v", name, got)
		}
	}
	got := problems(t, linked(oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}}), nil)
	if len(got) != 1 || !got[0].Unasked || got[0].URI != file {
		t.Errorf("no file: %v", got)
	}
}

func TestAppleAppSiteAssociation(t *testing.T) {
	t.Parallel()
	const file, app = "https://shop.example.com/.well-known/apple-app-site-association", "ABCDE12345.com.example.shop"
	for name, tc := range map[string]struct {
		body string
		good bool
	}{
		"components":              {appleFile(`{"appIDs":["X.y","` + app + `"],"components":[{"/":"/call*"}]}`), true},
		"old paths":               {appleFile(`{"appID":"` + app + `","paths":["/other","/callback"]}`), true},
		"everything":              {appleFile(`{"appID":"` + app + `","paths":["*"]}`), true},
		"a question mark":         {appleFile(`{"appID":"` + app + `","paths":["/callbac?"]}`), true},
		"another app":             {appleFile(`{"appID":"ABCDE12345.com.example.shopx","paths":["*"]}`), false},
		"another path":            {appleFile(`{"appID":"` + app + `","paths":["/app/*"]}`), false},
		"excluded first":          {appleFile(`{"appID":"` + app + `","paths":["NOT /callback","*"]}`), false},
		"excluded by component":   {appleFile(`{"appIDs":["` + app + `"],"components":[{"/":"/callback","exclude":true},{"/":"*"}]}`), false},
		"only with a query":       {appleFile(`{"appIDs":["` + app + `"],"components":[{"/":"/callback","?":{"a":"b"}}]}`), false},
		"no app links":            {`{"webcredentials":{"apps":["` + app + `"]}}`, false},
		"details are no list":     {`{"applinks":{"details":{}}}`, false},
		"a name twice":            {`{"applinks":{},"applinks":{"details":[]}}`, false},
		"no JSON":                 {`<html>`, false},
		"names in another case":   {`{"AppLinks":{"details":[{"appID":"` + app + `","paths":["*"]}]}}`, false},
		"exclude is not a bool":   {appleFile(`{"appIDs":["` + app + `"],"components":[{"/":"*","exclude":"no"}]}`), false},
		"the app without a path":  {appleFile(`{"appID":"` + app + `"}`), false},
		"the app in a second row": {appleFile(`{"appID":"X.y","paths":[]},{"appID":"` + app + `","paths":["*"]}`), true},
	} {
		if got := problems(t, linked(oauth.AppLinks{AppleAppID: app}), map[string]string{file: tc.body}); (len(got) == 0) != tc.good {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := problems(t, linked(oauth.AppLinks{}), nil); got != nil {
		t.Errorf("a client that names no app: %v", got)
	}
	two := linked(oauth.AppLinks{AppleAppID: app}, "https://shop.example.com/callback", "https://other.example.com/callback")
	if got := problems(t, two, map[string]string{file: appleFile(`{"appID":"` + app + `","paths":["*"]}`)}); len(got) != 1 || got[0].URI != "https://other.example.com/.well-known/apple-app-site-association" {
		t.Errorf("each host is asked: %v", got)
	}
}

func TestAppLinksAreCheckedAtRegistration(t *testing.T) {
	t.Parallel()
	body := changed(webMetadata, "application_type", "native", "app_links", map[string]any{"android_package": "com.example.shop", "android_cert_fingerprints": []string{certA}})
	for name, tc := range map[string]struct {
		file  string
		check bool
		good  bool
	}{"the host knows the app": {androidFile, true, true}, "it does not": {`[]`, true, false}, "nobody asks": {`[]`, false, true}} {
		var asked []string
		s := newRig(t).registering(func(o *oauth.Options) {
			o.Registration.AppLinks = tc.check
			o.Fetch = func(_ context.Context, uri string) ([]byte, error) {
				asked = append(asked, uri)
				return []byte(tc.file), nil
			}
		})
		_, err := s.Register(t.Context(), oauth.Request{}, []byte(body))
		if (err == nil) != tc.good || tc.check != slices.Contains(asked, "https://shop.example.com/.well-known/assetlinks.json") {
			t.Errorf("%s: %v, asked %v", name, err, asked)
		}
		if !tc.good {
			wantCode(t, err, oauth.InvalidRedirectURI)
		}
	}
}

func FuzzAppLinks(f *testing.F) {
	f.Add([]byte(androidFile))
	f.Add([]byte(appleFile(`{"appIDs":["A.b"],"components":[{"/":"/call*","?":{"a":"b"},"exclude":true},{"#":"x"}],"paths":["NOT /x","*"]}`)))
	f.Add([]byte(`[[],{}]`))
	c := linked(oauth.AppLinks{AndroidPackage: "com.example.shop", AndroidCerts: []string{certA}, AppleAppID: "A.b"})
	f.Fuzz(func(t *testing.T, body []byte) {
		got := oauth.AppLinkProblems(t.Context(), func(context.Context, string) ([]byte, error) { return body, nil }, c)
		if len(got) == 0 {
			t.Errorf("one file cannot be a list and an object: %q", body)
		}
	})
}

func FuzzRegister(f *testing.F) {
	f.Add([]byte(webMetadata))
	f.Add([]byte(`{"redirect_uris":["com.example.shop:/cb"],"jwks":{"keys":[]},"app_links":{"apple_app_id":"x"},"default_max_age":3,"token_endpoint_auth_method":"none"}`))
	f.Add([]byte(`{"grant_types":["client_credentials"],"request_uris":["https://a.example/"],"subject_type":"pairwise","contacts":["a@b.example"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := oauth.ReadClient(body)
		if err != nil {
			return
		}
		// Whatever is let in keeps the rules for all clients.
		if len(c.RedirectProblems()) > 0 || c.Type.Public() && c.UsesSecret() {
			t.Errorf("%q: %+v", body, c)
		}
		if _, why := c.Problem(); why != "" {
			t.Errorf("%q: %s", body, why)
		}
	})
}
