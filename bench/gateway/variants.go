package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// floor is what the others are compared with.
const floor = "nginx"

// variant is one way to the upstream.
type variant struct {
	name    string
	path    string
	host    string // empty: localhost
	checks  bool   // that the token is good
	program string
	config  func(b *bed, address string) (args []string, err error) // nil: of Sallyport
	bearer  func(*sallyport, *variant) (caller, error)              // nil: the sealed token, which nobody looks at
	quiet   bool                                                    // without a line in the log for each call

	address string
	proc    *process // nil where the program is not installed
}

// The order is that of the table.
var variants = []variant{
	{name: floor, path: "/items/1", program: "nginx", config: nginx("")},
	{name: "nginx, access log", path: "/items/1", program: "nginx", config: nginx("log")},
	{name: "nginx auth_request", path: "/items/1", checks: true, program: "nginx", config: nginx("auth")},
	{name: "HAProxy", path: "/items/1", program: "haproxy", config: haproxy},
	{name: "Caddy", path: "/items/1", program: "caddy", config: caddy},
	{name: "Go ReverseProxy", path: "/items/1", config: goProxy},
	{name: "sallyport sealed", path: "/sealed/items/1", checks: true, bearer: (*sallyport).sealed},
	{name: "sallyport sealed, no access log", path: "/sealed/items/1", checks: true, bearer: (*sallyport).sealed, quiet: true},
	{name: "sallyport JWT", path: "/jwt/items/1", checks: true, bearer: (*sallyport).jwt},
	{name: "sallyport cookie", path: "/sealed/items/1", host: appHost, checks: true, bearer: (*sallyport).cookie},
	{name: "sallyport DPoP", path: "/sealed/items/1", checks: true, bearer: (*sallyport).dpop},
}

func (v *variant) caller(b *bed) (caller, error) {
	if v.bearer != nil {
		return v.bearer(v.gate(b), v)
	}
	bearer, err := b.gate.token("sealed", nil)
	if err != nil {
		return nil, err
	}
	request := v.get("Bearer " + bearer)
	return func(int, int) []byte { return request }, nil
}

func (v *variant) gate(b *bed) *sallyport {
	if v.quiet {
		return b.quiet
	}
	return b.gate
}

// start runs the variant's server, where it is installed.
func (b *bed) start(ctx context.Context, v *variant) error {
	if v.config == nil {
		v.address, v.proc = v.gate(b).address, v.gate(b).proc
		return nil
	}
	if v.program != "" {
		if _, err := exec.LookPath(v.program); err != nil {
			return nil //nolint:nilerr // that is the answer
		}
	}
	var err error
	if v.address, err = freeAddress(); err != nil {
		return err
	}
	args, err := v.config(b, v.address)
	if err != nil {
		return err
	}
	if v.proc, err = b.launch(ctx, serverCore, v.name, args...); err != nil {
		return err
	}
	return waitListening(v.proc, v.address)
}

// nginx has one worker and keeps connections. kind "log" writes an access log in
// JSON, as Sallyport does; "auth" asks an introspection endpoint about each call
// and forwards the token that it answers.
func nginx(kind string) func(b *bed, address string) ([]string, error) {
	return func(b *bed, address string) ([]string, error) {
		access, ask := "access_log off;", ""
		switch kind {
		case "log":
			access = `log_format event escape=json '{"time":"$time_iso8601","msg":"request","method":"$request_method","route":"$uri","status":$status,` +
				`"took":$request_time,"bytes":$body_bytes_sent,"remote":"$remote_addr","request_id":"$request_id"}'; access_log ` + filepath.Join(b.dir, "access.log") + " event;"
		case "auth":
			ask = `auth_request /ask; auth_request_set $inner $upstream_http_x_inner; proxy_set_header Authorization "Bearer $inner";`
		}
		text := fmt.Sprintf(`daemon off; master_process on; worker_processes 1; pid %[1]s/nginx%[2]s.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
	%[5]s
	upstream up { server %[4]s; keepalive 1024; keepalive_requests 100000000; }
	server {
		listen %[3]s ssl;
		ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		keepalive_requests 100000000; keepalive_timeout 600s;
		proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
		proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host $http_host;
		location / { %[6]s proxy_pass http://up; }
		location = /ask { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://up/introspect; }
	}
}
`, b.dir, kind, address, b.upstream, access, ask)
		name := filepath.Join(b.dir, "nginx"+kind+".conf")
		return []string{"nginx", "-p", b.dir, "-c", name}, b.write("nginx"+kind+".conf", text)
	}
}

func haproxy(b *bed, address string) ([]string, error) {
	text := fmt.Sprintf(`global
	nbthread 1
	maxconn 8192
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
defaults
	mode http
	timeout connect 5s
	timeout client 600s
	timeout server 600s
	http-reuse always
frontend front
	bind %[2]s ssl crt %[1]s/both.pem ssl-min-ver TLSv1.3 alpn http/1.1
	http-request set-header X-Forwarded-For %%[src]
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	default_backend back
backend back
	server up %[3]s
`, b.dir, address, b.upstream)
	return []string{"haproxy", "-db", "-f", filepath.Join(b.dir, "haproxy.cfg")}, b.write("haproxy.cfg", text)
}

func caddy(b *bed, address string) ([]string, error) {
	text := fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system %[1]s/caddy
}
https://localhost:%[4]s {
	bind 127.0.0.1
	tls %[1]s/cert.pem %[1]s/key.pem {
		protocols tls1.3
	}
	reverse_proxy %[3]s {
		transport http {
			keepalive_idle_conns 4096
			keepalive_idle_conns_per_host 1024
		}
	}
}
`, b.dir, address, b.upstream, port(address))
	return []string{"caddy", "run", "--config", filepath.Join(b.dir, "Caddyfile"), "--adapter", "caddyfile"}, b.write("Caddyfile", text)
}

func goProxy(b *bed, address string) ([]string, error) {
	return []string{b.self, "-role", "reverse-proxy", "-at", address, "-dir", b.dir, "-to", "http://" + b.upstream}, nil
}
