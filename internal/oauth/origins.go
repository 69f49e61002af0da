package oauth

import (
	"context"
	"net/url"
	"sync"
)

// browserOrigins remembers which pages are those of browser clients: the origins
// of their redirect URIs (MD11). Clients come and go while the server runs, so
// what is stored is read again after the feed said that a client has changed, once
// somebody asks.
type browserOrigins struct {
	own map[string]bool // of the configuration

	loading sync.Mutex // one reads, the others wait
	mu      sync.RWMutex
	stored  map[string]bool // nil: to be read
	epoch   uint64
}

func (o *browserOrigins) known() (stored map[string]bool, epoch uint64) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.stored, o.epoch
}

// BrowserOrigin reports whether origin, as a browser sends it, is that of a
// registered browser client. If that cannot be known it is not.
func (s *Service) BrowserOrigin(ctx context.Context, origin string) bool {
	return s.storedOrigin(ctx, origin) || s.documents.hasOrigin(origin)
}

func (s *Service) storedOrigin(ctx context.Context, origin string) bool {
	o := &s.origins
	if o.own[origin] {
		return true
	}
	if stored, _ := o.known(); stored != nil {
		return stored[origin]
	}
	o.loading.Lock()
	defer o.loading.Unlock()
	stored, epoch := o.known()
	if stored != nil {
		return stored[origin]
	}
	uris, err := s.store.BrowserRedirects(ctx)
	if err != nil {
		return false
	}
	stored = map[string]bool{}
	for _, uri := range uris {
		if origin := originOf(uri); origin != "" {
			stored[origin] = true
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.epoch == epoch {
		o.stored = stored
	}
	return stored[origin]
}

func (o *browserOrigins) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	o.stored = nil
}

func originsOf(clients []Client) map[string]bool {
	m := map[string]bool{}
	for i := range clients {
		if clients[i].Type != Browser {
			continue
		}
		for _, uri := range clients[i].RedirectURIs {
			if origin := originOf(uri); origin != "" {
				m[origin] = true
			}
		}
	}
	return m
}

// originOf is the origin of an https address as browsers write it, or nothing.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	if u.Port() == "443" {
		u.Host = u.Host[:len(u.Host)-len(":443")]
	}
	return "https://" + u.Host
}
