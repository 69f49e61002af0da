package bff

import (
	"html"
	"net/http"
	"strconv"
)

// arrive sends the browser on from our own page. A redirect would still count as
// coming from where the person has signed in, which may be another site, and would
// then go without a cookie that is SameSite=Strict.
func arrive(w http.ResponseWriter, path string) {
	at := html.EscapeString(path)
	writePage(w, http.StatusOK, "Signed in", `<meta http-equiv="refresh" content="0;url=`+at+`">`, `<p>You are signed in. <a href="`+at+`">Go on</a></p>`)
}

// sentences say what went wrong, to people.
var sentences = map[string]string{
	"sign_in_other_browser": "This sign-in was not begun in this browser, took too long, or is over.",
	"sign_in_denied":        "You refused access, so you are not signed in.",
	"sign_in_unavailable":   "Signing in is not possible at the moment.",
}

// refusePage tells a person that a sign-in came to nothing.
func refusePage(w http.ResponseWriter, r *http.Request, status int, why, again string) {
	refused(r, why)
	text := sentences[why]
	if text == "" {
		text = "The sign-in could not be finished."
	}
	writePage(w, status, "Not signed in", "", `<p role="alert">`+text+` <a href="`+html.EscapeString(again)+`">Sign in</a></p>`)
}

func writePage(w http.ResponseWriter, status int, title, head, body string) {
	page := `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` + title +
		`</title>` + head + `</head><body><main><h1>` + title + `</h1>` + body + `</main></body></html>`
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(page))
}
