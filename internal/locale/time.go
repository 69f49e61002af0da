package locale

import "time"

var units = []struct {
	of  time.Duration
	key string
}{{24 * time.Hour, "span.days"}, {time.Hour, "span.hours"}, {time.Minute, "span.minutes"}, {time.Second, "span.seconds"}}

// Span says how long d is, in the largest unit that fits, rounded up.
func (l *Language) Span(d time.Duration) string {
	for _, u := range units {
		if d >= u.of || u.of == time.Second {
			return l.Text(u.key, "n", int((d+u.of-1)/u.of))
		}
	}
	return ""
}

// Clock writes a time of day as people read it there, in UTC, to the minute.
func (l *Language) Clock(t time.Time) string {
	return l.Text("clock", "time", t.UTC().Format("15:04"))
}

// Moment writes a time as people read it there, in UTC, to the minute.
func (l *Language) Moment(t time.Time) string {
	t = t.UTC()
	return l.Text("moment", "day", t.Day(), "month", l.Text("month."+t.Format("01")), "year", t.Year(), "time", t.Format("15:04"))
}
