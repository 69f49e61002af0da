package main

// maxSessionsMax bounds people.sessions_max.
const maxSessionsMax = 1000

// checkPeople judges how people may stay signed in.
func checkPeople(j *judge) {
	if n := j.c.People.SessionsMax; n < 1 || n > maxSessionsMax {
		j.failf("people.sessions_max", "%d is not between 1 and %d", n, maxSessionsMax)
	}
}
