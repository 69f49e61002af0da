package vault

import (
	"context"
	"time"

	"sallyport/internal/secret"
)

// Change is a new value for a name.
type Change struct {
	Name    string
	Kind    Kind // "" for that of the version before, or Text
	Value   secret.Value
	SetBy   string
	Overlap time.Duration // for how long the values before it may still be used
	Keep    time.Time     // how long nodes remember the change
}

// CheckError says in words for people what is wrong with a value. It quotes
// nothing of it.
type CheckError string

// Error implements error.
func (e CheckError) Error() string { return "the value " + string(e) }

// Set seals a value and makes it the newest. A *CheckError says that the value
// is not of the kind, ErrStale that somebody else was first.
func Set(ctx context.Context, store Store, keys Sealer, now time.Time, c Change) (Version, error) {
	before, err := store.Versions(ctx, c.Name)
	if err != nil {
		return Version{}, err
	}
	v := Version{Name: c.Name, Number: 1, ID: secret.NewID(now), Kind: c.Kind, SetBy: c.SetBy, CreatedAt: now.Truncate(time.Second).UTC()}
	if len(before) > 0 {
		v.Number = before[0].Number + 1
		if v.Kind == "" {
			v.Kind = before[0].Kind
		}
	}
	if v.Kind == "" {
		v.Kind = Text
	}
	if why := CheckValue(v.Kind, c.Value); why != "" {
		return Version{}, CheckError(why)
	}
	if v.Sealed, err = keys.SealSecret(label(v), []byte(c.Value.Reveal())); err != nil {
		return Version{}, err
	}
	return v, store.SetVersion(ctx, v, now.Add(c.Overlap), c.Keep)
}

// State is where a version is in its life.
type State string

// The states.
const (
	Current     State = "current"
	Overlapping State = "overlapping"
	Ended       State = "ended"
	Compromised State = "compromised"
)

// StateOf says where x stands at now; newest is whether no version came after it.
func StateOf(x Version, newest bool, now time.Time) State {
	switch {
	case !x.CompromisedAt.IsZero():
		return Compromised
	case newest:
		return Current
	case x.Sealed != "" && x.Until.After(now):
		return Overlapping
	}
	return Ended
}
