package contract

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// formats are those that are held (JSON Schema Validation 2020-12 §7.3, OpenAPI
// format registry). They judge their own type only; others are for people.
var formats = map[string]func(any) bool{
	"date-time": ofText(func(s string) bool { return isTime(time.RFC3339, strings.ToUpper(s)) }),
	"date":      ofText(func(s string) bool { return isTime(time.DateOnly, s) }),
	"time":      ofText(func(s string) bool { return isTime("15:04:05Z07:00", strings.ToUpper(s)) }),
	"duration":  ofText(func(s string) bool { return isoDuration.MatchString(s) && s[len(s)-1] != 'T' && s != "P" }),
	"email":     ofText(isEmail),
	"hostname":  ofText(func(s string) bool { return len(s) <= 253 && hostname.MatchString(s) }),
	"ipv4": ofText(func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is4()
	}),
	"ipv6": ofText(func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6() && a.Zone() == ""
	}),
	"uri": ofText(func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.IsAbs()
	}),
	"uri-reference": ofText(func(s string) bool {
		_, err := url.Parse(s)
		return err == nil
	}),
	"uuid":         ofText(func(s string) bool { return uuid.MatchString(s) }),
	"json-pointer": ofText(func(s string) bool { return s == "" || s[0] == '/' }),
	"byte": ofText(func(s string) bool {
		_, err := base64.StdEncoding.Strict().DecodeString(s)
		return err == nil
	}),
	"int32": ofNumber(func(n json.Number) bool {
		i, err := n.Int64()
		return err == nil && i >= math.MinInt32 && i <= math.MaxInt32
	}),
	"int64": ofNumber(func(n json.Number) bool {
		_, err := n.Int64()
		return err == nil
	}),
	"float": ofNumber(func(n json.Number) bool {
		_, err := strconv.ParseFloat(n.String(), 32)
		return err == nil
	}),
	"double": ofNumber(func(n json.Number) bool {
		_, err := n.Float64()
		return err == nil
	}),
}

var (
	isoDuration = regexp.MustCompile(`^P(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)$`)
	hostname    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
	uuid        = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

func ofText(holds func(string) bool) func(any) bool {
	return func(v any) bool {
		s, is := v.(string)
		return !is || holds(s)
	}
}

func ofNumber(holds func(json.Number) bool) func(any) bool {
	return func(v any) bool {
		n, is := v.(json.Number)
		return !is || holds(n)
	}
}

func isTime(layout, s string) bool {
	_, err := time.Parse(layout, s)
	return err == nil && !strings.ContainsRune(s, ',')
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254
}
