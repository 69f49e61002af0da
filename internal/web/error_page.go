package web

import (
	"net/http"

	"sallyport/internal/locale"
)

// errorView is what the error page shows. The code is the OAuth error code.
type errorView struct {
	frame
	Description string
	Detail      string // in English, where there are no words for it in the language of the page
	Code        string
	ID          string
	Ours        bool // the fault is ours
}

func (s *site) writeErrorPage(w http.ResponseWriter, r *http.Request, p problem) {
	l := s.language(r)
	v := errorView{Code: p.code, ID: p.id}
	v.Description, v.Detail = described(l, p)
	title := "error.title"
	switch {
	case p.status >= http.StatusInternalServerError:
		title, v.Ours = "error.ours", true
	case p.status == http.StatusNotFound:
		title = "error.nothing"
	case p.status == http.StatusForbidden:
		title = "error.unchanged"
	}
	v.frame = s.frame(r, l.Text(title), false)
	if err := s.render(w, p.status, pageError, &v); err != nil {
		http.Error(w, p.code, p.status)
	}
}

const maxDescription = 4 * maxShown

// described says what was wrong in the language of the page. Descriptions are
// English, as in the protocol, and keys to the catalogues at the same time; those
// that only the maker of an app can make sense of have no other words.
func described(l *locale.Language, p problem) (words, detail string) {
	english := sentence(legibleUpTo(p.description, maxDescription))
	if key, ok := locale.Default.Key("problem.", english); ok {
		return l.Text(key), ""
	}
	if l == locale.Default || english == "" {
		return english, ""
	}
	return l.Text("problem.other"), english
}
