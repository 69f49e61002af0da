package secret

import (
	"hash/crc32"
	"strings"
)

// Span is where a handle stands in a longer text.
type Span struct {
	Prefix     Prefix
	Start, End int // text[Start:End] is the whole handle
}

// leastPayload is the shortest payload that Find takes for a credential, in
// bytes: every kind has at least 128 random bits.
const leastPayload = 16

// stepsPerByte bounds the work on one unbroken run of handle characters: only a
// text that was made to be slow, with hundreds of beginnings in one run, meets it.
const stepsPerByte = 64

// Find returns the handles in text, in order and without overlap, most at most.
// A handle needs no separators around it: its checksum says where it ends, so it
// is found in code, in URLs and in logs, and nothing else is. The work is linear
// in len(text).
func Find(text string, most int) []Span {
	var found []Span
	for at := 0; len(found) < most; {
		next := strings.IndexByte(text[at:], '_')
		if next < 0 {
			break
		}
		start := at + next - prefixLen
		at += next + 1
		if start < 0 || !beginsHandle(text[start:]) {
			continue
		}
		runEnd := at
		for runEnd < len(text) && handleByte(text[runEnd]) {
			runEnd++
		}
		found = findInRun(found, text, start, runEnd, most)
		at = runEnd
	}
	return found
}

// prefixLen is the length that all prefixes have.
const prefixLen = 4

var byName = func() map[string]Prefix {
	m := map[string]Prefix{}
	for _, p := range Prefixes {
		m[string(p)] = p
	}
	return m
}()

func beginsHandle(s string) bool {
	return len(s) > prefixLen && s[prefixLen] == '_' && s[0] == 's' && s[1] == 'p' && byName[s[:prefixLen]] != ""
}

// findInRun looks at each beginning in text[start:end], which has handle
// characters only.
func findInRun(found []Span, text string, start, end, most int) []Span {
	budget := stepsPerByte*(end-start) + MaxHandle
	for start < end && len(found) < most && budget > 0 {
		if !beginsHandle(text[start:end]) {
			next := strings.Index(text[start+1:end], "sp")
			if next < 0 {
				break
			}
			start += 1 + next
			continue
		}
		n, steps := handleEnd(text[start:min(end, start+MaxHandle)])
		budget -= steps
		if n == 0 {
			start++
			continue
		}
		found = append(found, Span{Prefix(text[start : start+prefixLen]), start, start + n})
		start += n
	}
	return found
}

// handleEnd returns the length of the handle that s begins with, or 0, and how
// many characters it looked at. It carries the CRC along, so that each possible
// end costs one step.
func handleEnd(s string) (n, steps int) {
	table := crc32.IEEETable
	least := prefixLen + 1 + encoding.EncodedLen(leastPayload)
	crc := ^uint32(0)
	for i := range len(s) - checksumLen + 1 {
		if i >= least && sumFits(^crc, s[i:i+checksumLen]) {
			if _, err := Decode(Prefix(s[:prefixLen]), s[:i+checksumLen]); err == nil {
				return i + checksumLen, i
			}
		}
		crc = table[byte(crc)^s[i]] ^ crc>>8 //nolint:gosec // the low byte is wanted
	}
	return 0, len(s)
}

// sumFits compares from the last digit on, which is nearly always enough.
func sumFits(crc uint32, digits string) bool {
	for i := checksumLen - 1; i >= 0; i-- {
		if digits[i] != base62[crc%62] {
			return false
		}
		crc /= 62
	}
	return true
}

func handleByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
