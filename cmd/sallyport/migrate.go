package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) migrateCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the schema of this version",
		Long: "Migrate applies what is missing and changes nothing else. SQLite is migrated by serve itself;\n" +
			"PostgreSQL needs this before the first start of a newer version. Running it twice does no harm.",
		Example: "  sallyport migrate -c sallyport.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.trustedConfig(file)
			if err != nil {
				return err
			}
			st, err := c.openStore(cmd.Context(), p.now)
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }()
			needed, err := st.NeedsMigration(cmd.Context())
			if err != nil {
				return err
			}
			if err := st.Migrate(cmd.Context()); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(map[string]bool{"changed": needed})
			}
			text := "the database is up to date"
			if needed {
				text = "the database has been brought up to date"
			}
			_, err = fmt.Fprintln(p.stdout, text)
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}
