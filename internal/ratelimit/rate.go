package ratelimit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a limit from the configuration: Burst at once, and Count more in each
// Per. In any span d, at most Burst + Count·d/Per. The zero value is no limit.
type Rate struct {
	Count int
	Per   time.Duration
	Burst int
}

// MaxCount is the largest count and burst of a Rate.
const MaxCount = 10_000_000

// rateUnits are what a rate can be per.
var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

var errRateForm = errors.New(`write for example 600/m, 10/s burst 50, or off; units are s, m, h and d`)

// ParseRate reads "600/m" or "600/m burst 50". Without a burst it is the count.
// "off" and "" are the zero Rate.
func ParseRate(s string) (Rate, error) {
	if s == "" || s == "off" {
		return Rate{}, nil
	}
	text, burst, hasBurst := strings.Cut(s, " burst ")
	count, unit, ok := strings.Cut(text, "/")
	r := Rate{Per: rateUnits[unit]}
	if !ok || r.Per == 0 {
		return Rate{}, fmt.Errorf("%q is not a rate: %w", s, errRateForm)
	}
	var err error
	if r.Count, err = rateNumber(count); err != nil {
		return Rate{}, fmt.Errorf("%q: %w", s, err)
	}
	r.Burst = r.Count
	if hasBurst {
		if r.Burst, err = rateNumber(burst); err != nil {
			return Rate{}, fmt.Errorf("%q: burst: %w", s, err)
		}
	}
	return r, nil
}

func rateNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxCount || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("the number must be from 1 to %d: %w", MaxCount, errRateForm)
	}
	return n, nil
}

// IsZero reports whether r is no limit.
func (r Rate) IsZero() bool { return r.Count == 0 }

// String is what ParseRate reads.
func (r Rate) String() string {
	if r.IsZero() {
		return "off"
	}
	for name, unit := range rateUnits {
		if r.Per == unit {
			s := strconv.Itoa(r.Count) + "/" + name
			if r.Burst != r.Count {
				s += " burst " + strconv.Itoa(r.Burst)
			}
			return s
		}
	}
	return fmt.Sprintf("%d/%s burst %d", r.Count, r.Per, r.Burst)
}

// Window is how long an empty bucket takes to fill: a quota of Burst in each
// Window is the same limit.
func (r Rate) Window() time.Duration { return time.Duration(r.every() * int64(r.Burst)) }

// every is the cost of one in nanoseconds, at least a microsecond.
func (r Rate) every() int64 { return max(int64(r.Per)/int64(r.Count), 1000) }

func (r Rate) rule() rule {
	every := r.every()
	return rule{every: every, depth: every * int64(r.Burst)}
}
