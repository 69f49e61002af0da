package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sallyport/internal/shared"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// storeRules need the store. They come after all others, in this order.
var storeRules = []rule{notDead, rightMaster, secretsSet}

var (
	notDead     = rule{ID: "LK03", What: "no secret of the file has been compromised", Fix: "put a new secret into the file and start the server again"}
	rightMaster = rule{ID: "CF13", What: "the master key is the one that the keys in the database are wrapped by", Fix: "put the right file back, or name the right database; docs/guide/keys.md"}
	secretsSet  = rule{ID: "EG02", What: "the secrets that connectors send are set", Fix: "sallyport secret set NAME; docs/guide/secrets.md"}
)

// storeTime is how long check waits for a store.
const storeTime = 3 * time.Second

// judgeStored asks the store. One that is not there, cannot be opened or has
// another schema leaves the rules unjudged: check works without it.
func (c *config) judgeStored(ctx context.Context, now func() time.Time) []verdict {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	dead, master, set := verdict{Rule: notDead, Unjudged: true}, verdict{Rule: rightMaster, Unjudged: true}, verdict{Rule: secretsSet, Unjudged: true}
	if st := c.storeToRead(ctx, now); st != nil {
		dead, master, set = c.judgeDead(ctx, st), c.judgeMaster(ctx, st, now), c.judgeSecrets(ctx, st)
		_ = st.Close() // nothing was written
	}
	list := []verdict{dead, master, set}
	slices.SortStableFunc(list, func(a, b verdict) int { // what is not judged comes last
		return cmp.Compare(map[bool]int{true: 1}[a.Unjudged], map[bool]int{true: 1}[b.Unjudged])
	})
	return list
}

// storeToRead is nil if there is none that can be read.
func (c *config) storeToRead(ctx context.Context, now func() time.Time) *store.Store {
	dsn, err := c.dsn()
	if err != nil || c.unread {
		return nil
	}
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			return nil
		}
	}
	st, err := c.openStore(ctx, now)
	if err != nil {
		return nil
	}
	if needed, err := st.NeedsMigration(ctx); err != nil || needed {
		_ = st.Close() // nothing was written
		return nil
	}
	return st
}

func (c *config) judgeDead(ctx context.Context, st *store.Store) verdict {
	dead, err := c.deadSecrets(deadIn(ctx, st))
	if err != nil {
		return verdict{Rule: notDead, Unjudged: true}
	}
	j := judge{c: c}
	for _, i := range dead {
		j.warnf(fmt.Sprintf("clients[%d].secret_file", i), "%s", c.deadSentence(i))
	}
	return verdict{Rule: notDead, Warnings: j.warnings}
}

// judgeMaster opens the keys as serve does, and writes nothing: keys that a new
// database lacks are made in memory and forgotten.
func (c *config) judgeMaster(ctx context.Context, st *store.Store, now func() time.Time) verdict {
	v := verdict{Rule: rightMaster, Unjudged: true}
	master, err := c.master()
	if err != nil {
		return v // CF04 says so
	}
	records, err := st.Keys().Keys(ctx)
	if err != nil {
		return v
	}
	v.Unjudged = false
	_, err = token.OpenRing(ctx, &forgottenKeys{records}, master, now)
	if err != nil {
		j := judge{c: c}
		j.failf("master_key_file", "%v", c.explainMaster(err))
		v.Problems = j.problems
	}
	return v
}

// judgeSecrets looks whether what connectors name is there. Values are not opened.
func (c *config) judgeSecrets(ctx context.Context, st *store.Store) verdict {
	j := judge{c: c}
	for i := range c.Egress {
		name := c.Egress[i].Inject.Secret
		versions, err := st.Vault().Versions(ctx, name)
		at := fmt.Sprintf("egress[%d].inject.secret", i)
		switch {
		case err != nil:
			return verdict{Rule: secretsSet, Unjudged: true}
		case name == "": // EG01
		case len(versions) == 0:
			j.failf(at, "%s is not set: sallyport secret set %s", name, name)
		case !versions[0].CompromisedAt.IsZero():
			j.failf(at, "%s was compromised and has no successor: sallyport secret set %s", name, name)
		}
	}
	return verdict{Rule: secretsSet, Problems: j.problems}
}

// askShared adds to the verdict about the shared state, if it is a good one, that
// it does not answer: serve would not start now, but may when it is meant to.
func (c *config) askShared(ctx context.Context, now func() time.Time, verdicts []verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		if v.Rule.ID != ruleShared || v.Unjudged || len(v.Problems) > 0 || c.Issuer == "" {
			continue
		}
		text, err := c.sharedAddress()
		if err != nil || text == "" {
			return
		}
		path := "shared"
		if c.SharedFile != "" {
			path = "shared_file"
		}
		if err := c.sharedAnswers(ctx, text, now); err != nil {
			j := judge{c: c}
			j.warnf(path, "serve would not start now: %v", err)
			v.Warnings = append(v.Warnings, j.warnings...)
		}
	}
}

func (c *config) sharedAnswers(ctx context.Context, text string, now func() time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	a, err := shared.ParseAddress(text)
	if err != nil {
		return err
	}
	st, err := shared.Open(ctx, shared.Options{Address: a, Deployment: c.Issuer, Now: now})
	if err != nil {
		return err
	}
	st.Close()
	return nil
}
