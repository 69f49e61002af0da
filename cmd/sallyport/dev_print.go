package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"strings"
	"text/template"
)

// The demo's clients.
const (
	demoNative  = "demo-app"
	demoWeb     = "demo-web"
	demoService = "demo-service"
)

// demoRedirect is registered for the native client, with any port.
const demoRedirect = "http://127.0.0.1/callback"

//go:embed dev_config.yaml.tmpl
var devConfigText string

//go:embed dev_welcome.txt.tmpl
var devWelcomeText string

var (
	devConfigTemplate  = template.Must(template.New("config").Parse(devConfigText))
	devWelcomeTemplate = template.Must(template.New("welcome").Parse(devWelcomeText))
)

// configText is the configuration of this run, on the ports that it has got.
func (d *dev) configText() []byte {
	var b bytes.Buffer
	err := devConfigTemplate.Execute(&b, map[string]string{
		"Issuer": d.issuer, "App": d.appURL, "SPA": d.spaURL(), "Backends": d.backendsURL,
		"Listen": `"` + d.doors.public.Addr().String() + `"`, "Metrics": `"` + d.doors.ops.Addr().String() + `"`,
		"Mutual": `"` + d.doors.mutual.Addr().String() + `"`,
	})
	if err != nil {
		panic(err) // the template has these fields and no others
	}
	return b.Bytes()
}

// devReady is the line that dev --json prints.
type devReady struct {
	Issuer            string   `json:"issuer"`
	CAFile            string   `json:"ca_file"`
	Username          string   `json:"username"`
	Password          string   `json:"password"`
	ClientID          string   `json:"client_id"`
	RedirectURI       string   `json:"redirect_uri"`
	APIs              []devAPI `json:"apis"`
	Egress            []devAPI `json:"egress"`
	PID               int      `json:"pid"`
	Metrics           string   `json:"metrics"`
	App               string   `json:"app"`
	SPA               string   `json:"browser_app"`
	MutualTLS         string   `json:"mtls"`
	ServiceClientID   string   `json:"service_client_id"`
	ServiceSecretFile string   `json:"service_secret_file"`
	Mails             string   `json:"mails"`
}

type devAPI struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Tier     string `json:"tier"`
	Audience string `json:"audience"`
}

// print says where to look: for a program in one line, for people with lines
// to paste.
func (d *dev) print(w io.Writer, asJSON bool) error {
	r := devReady{
		Issuer: d.issuer, CAFile: d.caFile, Username: demoUser, Password: d.password.Reveal(),
		ClientID: demoNative, RedirectURI: demoRedirect, PID: os.Getpid(), Metrics: "http://" + d.doors.ops.Addr().String() + "/metrics",
		App: d.appURL, SPA: d.spaURL(), MutualTLS: d.mutualURL, ServiceClientID: demoService, ServiceSecretFile: d.state.file(devServiceSecret),
		Mails: d.state.file(devMailFolder),
	}
	for _, a := range d.config.APIs {
		list := &r.APIs
		if a.connector != nil {
			list = &r.Egress
		}
		*list = append(*list, devAPI{a.Name, d.issuer + a.Path, a.Tier, a.Audience})
	}
	if asJSON {
		return json.NewEncoder(w).Encode(r) //nolint:gosec // the demo password is printed on purpose
	}
	return devWelcomeTemplate.Execute(w, struct {
		devReady
		State, Curl, Secret string
	}{r, d.state.dir, "curl -sS --cacert " + shellQuote(r.CAFile), shellQuote(r.ServiceSecretFile)})
}

// shellQuote makes one word of bash of s.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
