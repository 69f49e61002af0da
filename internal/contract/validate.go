package contract

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one validation.
const (
	maxFaults = 10
	maxSteps  = 100_000 // schemas that look at values: branches inside branches multiply
)

// run is one value being held against a schema.
type run struct {
	in     string
	faults []Fault
	path   []string // names of members as the document has them, "*" for others, indexes
	quiet  int      // a branch is being tried: no faults are kept
	steps  int
}

// validate appends what is wrong with v to faults.
func (s *schema) validate(in string, v any, faults []Fault) []Fault {
	r := run{in: in, faults: faults, quiet: 1}
	if r.check(s, v, nil) && r.steps <= maxSteps {
		return faults // most are right: names and places are for those that are not
	}
	r = run{in: in, faults: faults}
	r.check(s, v, nil)
	return r.faults
}

// fault notes a broken rule and returns false, for whoever tries a branch.
func (r *run) fault(code string) bool {
	if r.quiet == 0 && len(r.faults) < maxFaults {
		r.faults = append(r.faults, Fault{r.in, pointer(r.path), code})
	}
	return false
}

func pointer(path []string) string {
	var b strings.Builder
	for _, part := range path {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(part, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// stop reports whether nothing more needs to be known.
func (r *run) stop(ok bool) bool {
	return !ok && (r.quiet > 0 || len(r.faults) >= maxFaults) || r.steps > maxSteps
}

// evaluated are the members of an object that some schema has looked at; nil if
// nobody asks.
type evaluated map[string]bool

// check holds v against s. seen is that of a schema around s that judges the same value.
func (r *run) check(s *schema, v any, seen evaluated) bool {
	if r.steps++; r.steps > maxSteps {
		if r.steps == maxSteps+1 {
			r.quiet = 0
			r.fault("too_complex")
		}
		return false
	}
	if s.refuse != "" {
		return r.fault(s.refuse)
	}
	if s.types != 0 && !s.types.has(v) {
		return r.fault("type")
	}
	ok := r.fixed(s, v)
	switch v := v.(type) {
	case string:
		ok = r.text(s, v) && ok
	case json.Number:
		ok = r.number(s, v) && ok
	case []any:
		ok = r.array(s, v) && ok
	case map[string]any:
		if !r.stop(ok) {
			ok = r.object(s, v, seen) && ok
		}
		return ok
	}
	if r.stop(ok) {
		return ok
	}
	return r.branches(s, v, nil) && ok
}

func (t typeSet) has(v any) bool {
	switch v := v.(type) {
	case nil:
		return t&typeNull != 0
	case bool:
		return t&typeBool != 0
	case json.Number:
		return t&typeNumber != 0 || t&typeInteger != 0 && isInteger(v)
	case string:
		return t&typeString != 0
	case []any:
		return t&typeArray != 0
	}
	return t&typeObject != 0
}

func (r *run) fixed(s *schema, v any) bool {
	if s.enum != nil && !slices.ContainsFunc(s.enum, func(e any) bool { return equal(e, v) }) {
		return r.fault("enum")
	}
	if s.constant != nil && !equal(*s.constant, v) {
		return r.fault("const")
	}
	if s.format != nil && !s.format(v) {
		return r.fault("format")
	}
	return true
}

func (r *run) text(s *schema, v string) bool {
	ok := true
	if s.minLength >= 0 || s.maxLength >= 0 {
		n := utf8.RuneCountInString(v)
		if n < s.minLength {
			ok = r.fault("min_length")
		}
		if s.maxLength >= 0 && n > s.maxLength {
			ok = r.fault("max_length")
		}
	}
	if s.pattern != nil && ok && !s.pattern.MatchString(v) {
		ok = r.fault("pattern")
	}
	return ok
}

func (r *run) number(s *schema, v json.Number) bool {
	if s.low != nil {
		if c := s.low.compare(v); c < 0 || c == 0 && s.low.exclusive {
			return r.fault("minimum")
		}
	}
	if s.high != nil {
		if c := s.high.compare(v); c > 0 || c == 0 && s.high.exclusive {
			return r.fault("maximum")
		}
	}
	if s.multiple != nil && !s.multiple.divides(v) {
		return r.fault("multiple_of")
	}
	return true
}

func (r *run) array(s *schema, v []any) bool {
	ok := true
	if len(v) < s.minItems {
		ok = r.fault("min_items")
	}
	if s.maxItems >= 0 && len(v) > s.maxItems {
		return r.fault("max_items")
	}
	if s.unique && !areUnique(v) {
		ok = r.fault("unique_items")
	}
	for i, item := range v {
		if r.stop(ok) {
			return ok
		}
		each := s.items
		if i < len(s.prefix) {
			each = s.prefix[i]
		}
		if each != nil {
			ok = r.item(i, each, item) && ok
		}
	}
	if s.contains != nil {
		ok = r.containing(s, v) && ok
	}
	return ok
}

func (r *run) containing(s *schema, v []any) bool {
	n := 0
	for _, item := range v {
		if r.try(s.contains, item, nil) {
			n++
		}
	}
	least := 1
	if s.minContains >= 0 {
		least = s.minContains
	}
	if n < least || s.maxContains >= 0 && n > s.maxContains {
		return r.fault("contains")
	}
	return true
}

func areUnique(v []any) bool {
	there := make(map[string]bool, len(v))
	for _, item := range v {
		var b strings.Builder
		canonical(&b, item)
		if there[b.String()] {
			return false
		}
		there[b.String()] = true
	}
	return true
}

func (r *run) item(i int, s *schema, v any) bool {
	if r.quiet > 0 {
		return r.check(s, v, nil)
	}
	return r.inside(strconv.Itoa(i), s, v)
}

// inside judges a value in the value.
func (r *run) inside(name string, s *schema, v any) bool {
	if r.quiet > 0 {
		return r.check(s, v, nil)
	}
	r.path = append(r.path, name)
	ok := r.check(s, v, nil)
	r.path = r.path[:len(r.path)-1]
	return ok
}

// try judges without a word.
func (r *run) try(s *schema, v any, seen evaluated) bool {
	before := r.quiet
	r.quiet++
	ok := r.check(s, v, seen)
	if r.steps <= maxSteps {
		r.quiet = before
	}
	return ok
}

func (r *run) object(s *schema, v map[string]any, around evaluated) bool {
	ok := r.counts(s, v)
	mine := around
	if s.tracks && s.branched {
		mine = evaluated{}
	}
	for name, inner := range r.members(v) {
		if r.stop(ok) {
			return ok
		}
		ok = r.member(s, name, inner, mine) && ok
	}
	if r.stop(ok) {
		return ok
	}
	ok = r.branches(s, v, mine) && ok
	if !s.tracks || !s.branched || r.stop(ok) {
		return ok
	}
	for name, inner := range r.members(v) {
		if mine[name] {
			continue
		}
		mine[name] = true
		switch {
		case s.rest != nil && s.rest.refuse == "":
			ok = r.inside("*", s.rest, inner) && ok
		default:
			ok = r.fault("unknown_field")
		}
	}
	if around != nil {
		maps.Copy(around, mine)
	}
	return ok
}

// members are in order where faults are kept, so that the same body has the same
// answer.
func (r *run) members(v map[string]any) iter.Seq2[string, any] {
	if r.quiet > 0 {
		return maps.All(v)
	}
	return func(yield func(string, any) bool) {
		for _, name := range sorted(v) {
			if !yield(name, v[name]) {
				return
			}
		}
	}
}

func sorted(v map[string]any) []string { return slices.Sorted(maps.Keys(v)) }

func (r *run) counts(s *schema, v map[string]any) bool {
	ok := true
	if len(v) < s.minNames {
		ok = r.fault("min_properties")
	}
	if s.maxNames >= 0 && len(v) > s.maxNames {
		return r.fault("max_properties")
	}
	ok = r.needs(s.required, v) && ok
	for name, more := range s.alsoRequired {
		if _, there := v[name]; there {
			ok = r.needs(more, v) && ok
		}
	}
	return ok
}

func (r *run) needs(names []string, v map[string]any) bool {
	ok := true
	for _, name := range names {
		if _, there := v[name]; !there {
			r.path = append(r.path, name)
			ok = r.fault("required")
			r.path = r.path[:len(r.path)-1]
		}
	}
	return ok
}

// member judges one member by properties, patternProperties and
// additionalProperties, and, if nothing in place could know it, by what is said
// of all others.
func (r *run) member(s *schema, name string, v any, seen evaluated) bool {
	ok, known := true, false
	if s.names != nil && !r.try(s.names, name, nil) {
		ok = r.fault("property_names")
	}
	if m := s.members[name]; m != nil {
		known, ok = true, r.inside(name, m, v) && ok
	}
	for _, p := range s.patterns {
		if p.pattern.MatchString(name) {
			known, ok = true, r.inside("*", p.schema, v) && ok
		}
	}
	if !known && s.others != nil {
		known = true
		if s.others.refuse != "" {
			return r.fault("unknown_field") // its name is not for the answer: strangers choose it
		}
		ok = r.inside("*", s.others, v) && ok
	}
	if known && seen != nil {
		seen[name] = true
	}
	if known || !s.tracks || s.branched {
		return ok
	}
	if seen != nil {
		seen[name] = true
	}
	switch {
	case s.rest != nil && s.rest.refuse == "":
		return r.inside("*", s.rest, v) && ok
	case s.rest != nil || s.closed:
		return r.fault("unknown_field")
	}
	return ok
}

// branches judges the same value by the schemas in place. What a branch that
// holds has evaluated counts as evaluated.
func (r *run) branches(s *schema, v any, seen evaluated) bool {
	ok := true
	if s.ref != nil {
		ok = r.check(s.ref, v, seen)
	}
	for _, one := range s.allOf {
		if r.stop(ok) {
			return ok
		}
		ok = r.check(one, v, seen) && ok
	}
	if s.anyOf != nil && r.holding(s.anyOf, v, seen, seen != nil) == 0 {
		ok = r.fault("any_of")
	}
	if s.oneOf != nil && r.holding(s.oneOf, v, seen, true) != 1 {
		ok = r.fault("one_of")
	}
	if s.not != nil && r.try(s.not, v, nil) {
		ok = r.fault("not")
	}
	if s.cond != nil {
		then := s.other
		if r.trying(s.cond, v, seen) {
			then = s.then
		}
		if then != nil {
			ok = r.check(then, v, seen) && ok
		}
	}
	if m, is := v.(map[string]any); is {
		for name, one := range s.alsoHolds {
			if _, there := m[name]; there {
				ok = r.check(one, v, seen) && ok
			}
		}
	}
	return ok
}

// holding counts the branches that hold, all of them or up to the first.
func (r *run) holding(list []*schema, v any, seen evaluated, all bool) int {
	n := 0
	for _, one := range list {
		if r.trying(one, v, seen) {
			if n++; !all {
				return n
			}
		}
	}
	return n
}

// trying judges a branch, of which only what holds has evaluated anything.
func (r *run) trying(s *schema, v any, seen evaluated) bool {
	if seen == nil {
		return r.try(s, v, nil)
	}
	own := evaluated{}
	ok := r.try(s, v, own)
	if ok {
		maps.Copy(seen, own)
	}
	return ok
}
