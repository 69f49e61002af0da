package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/store"
	"sallyport/internal/token"
)

// target names the deployment that an administration command works on. The
// commands write to the store; a running server follows its feed.
type target struct {
	file   string
	state  string
	asJSON bool
}

func (t *target) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&t.file, "config", "c", defaultConfig, "configuration `FILE`")
	cmd.PersistentFlags().StringVar(&t.state, "state", "", "state `FOLDER` of sallyport dev, instead of a configuration")
	cmd.PersistentFlags().BoolVar(&t.asJSON, "json", false, "print JSON")
}

// lacksSchema says what brings the schema: on PostgreSQL serve does not.
func (c *config) lacksSchema() error {
	if c.usesSQLite() {
		return errors.New("the database lacks this version's schema: start sallyport serve or run sallyport migrate")
	}
	return errors.New("the database lacks this version's schema: run sallyport migrate")
}

// admin is an open deployment.
type admin struct {
	*program
	config *config
	store  *store.Store
	asJSON bool
}

// run opens the deployment for f.
func (t *target) run(p *program, f func(context.Context, *admin, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		file, env := t.file, p.env
		if t.state != "" && cmd.Flags().Changed("config") {
			return fmt.Errorf("-c and --state both name what to work on: keep one; see %s --help", cmd.CommandPath())
		}
		if t.state != "" {
			file, env = stateConfig(t.state), nil
		}
		c, err := readConfig(file, env)
		if err != nil {
			return err
		}
		st, err := c.openStore(cmd.Context(), p.now)
		if err != nil {
			return err
		}
		needed, err := st.NeedsMigration(cmd.Context())
		if err == nil && needed {
			err = c.lacksSchema()
		}
		if err == nil {
			err = f(cmd.Context(), &admin{p, c, st, t.asJSON}, args)
		}
		return errors.Join(err, st.Close())
	}
}

// print writes v as JSON, or the line for people.
func (a *admin) print(v any, line string, args ...any) error {
	if a.asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	_, err := fmt.Fprintf(a.stdout, line+"\n", args...)
	return err
}

// keep is how long nodes must remember a revocation of now.
func keep(now time.Time) time.Time { return token.KeepRevocation(now) }

// moment is a time in listings; nothing if there is none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
