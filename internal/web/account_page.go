package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sallyport/internal/locale"
)

// accountFrame is what the pages of an account have in common: a form token, and
// what was done a moment ago.
type accountFrame struct {
	frame
	CSRF   string
	Notice string
}

// notices are what a page may say was done: keys of the catalogue, without prefix.
type notices struct {
	prefix string
	keys   []string
}

// accountPage makes the frame of one page; name is the first part of its keys in the
// catalogue, and done what its notices may tell of.
func (s *site) accountPage(w http.ResponseWriter, r *http.Request, p url.Values, name string, done notices) (accountFrame, error) {
	csrf, err := s.formToken(w, r, wishes(r).page, "")
	if err != nil {
		return accountFrame{}, err
	}
	l := s.language(r)
	v := accountFrame{frame: s.frame(r, l.Text(name+".title"), false), CSRF: csrf}
	v.Wide = true
	if key := p.Get("done"); slices.Contains(done.keys, key) {
		v.Notice = l.Text(done.prefix + key)
	}
	return v, nil
}

// back goes to the page that a form was on, which tells what was done.
func (s *site) back(w http.ResponseWriter, r *http.Request, done string) error {
	return seeOther(w, s.prefix+wishes(r).page+"?done="+url.QueryEscape(done))
}

// pager leads from one page of a long list to the next.
type pager struct {
	Newer, Older int // numbers of pages; 0: there is none
}

// cut returns the part of a list that is on the page with a number as it came in
// the query, from 1 on.
func cut[T any](list []T, number string, size int) ([]T, pager) {
	page, err := strconv.Atoi(number)
	last := max(1, (len(list)+size-1)/size)
	if err != nil || page < 1 || page > last {
		page = 1
	}
	var p pager
	if page > 1 {
		p.Newer = page - 1
	}
	if page < last {
		p.Older = page + 1
	}
	return list[(page-1)*size : min(page*size, len(list))], p
}

// momentIn is a time in words, or nothing.
func momentIn(l *locale.Language, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return l.Moment(t)
}
