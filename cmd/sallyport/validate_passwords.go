package main

func checkBreached(j *judge) {
	lists, err := j.c.breachedFilters()
	if err != nil {
		j.failf("people.breached_passwords_file", "%v", err)
	}
	for _, f := range lists {
		_ = f.Close()
	}
}
