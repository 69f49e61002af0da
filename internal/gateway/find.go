package gateway

import "net/http"

// Find reports which operation a call would be judged as: the index of the API in
// Options.APIs and of the operation in API.Operations. operation is -1 if the API
// has none, and allow the methods of the path; api is -1 if no API has the path, or
// if the path is one that is refused before (checkPath). It judges no credential.
func (g *Gateway) Find(method, path string) (api, operation int, allow []string) {
	r, err := http.NewRequest(method, path, nil)
	if err != nil {
		return -1, -1, nil
	}
	c := &call{g: g, r: r, path: path}
	if checkPath(path) != "" || c.findAPI().refused() {
		return -1, -1, nil
	}
	if c.findOperation().refused() {
		return c.api.index, -1, c.api.allowed(c.rest)
	}
	return c.api.index, c.op.index, nil
}
