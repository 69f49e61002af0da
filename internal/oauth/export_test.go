package oauth

// ReadLeakReport shows what is kept of the last string of a report.
func ReadLeakReport(body []byte) (n int, text, address, source string, err error) {
	found, perr := readLeakReport(body)
	if perr != nil {
		return 0, "", "", "", perr
	}
	for _, f := range found {
		text, address, source = f.Secret.Reveal(), cleanURL(f.URL, f.Secret), cleanSource(f.Source)
	}
	return len(found), text, address, source, nil
}
