package web

// Route is one line of the table of routes, for tests from outside.
type Route struct {
	Method, Path string
	Page         bool // people see it
}

// Routes are all of them.
func Routes() []Route {
	list := make([]Route, 0, len(routes))
	for _, r := range routes {
		list = append(list, Route{Method: r.method, Path: r.path, Page: r.class.rules().page})
	}
	return list
}
