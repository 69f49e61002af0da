// Package web is the HTTP edge of the issuer and the outermost layer of the
// gateway: the route table, the one decoder, the one mapping of errors, pages
// without JavaScript, and the one event that each request leaves behind. It
// decides how things look on the wire and holds what belongs to browsers
// (cookies, form tokens, headers); what is allowed it refuses to know and asks
// oauth and account. Start at routes.go, then dispatch.go.
package web
