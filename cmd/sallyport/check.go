package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// finding is one line of check --json.
type finding struct {
	Rule     string   `json:"rule"`
	What     string   `json:"what"`
	Result   string   `json:"result"` // pass, warn, fail, or "not judged" if there was nothing to read
	Evidence []string `json:"evidence"`
	Warnings []string `json:"warnings,omitempty"` // of a rule that fails for other reasons
	Fix      string   `json:"fix,omitempty"`
}

const notJudged = "not judged"

// readable is the rule that comes before all others.
var readable = rule{ID: "CF00", What: "every line of the configuration is understood", Fix: "mend the line; docs/reference/configuration.md has every setting"}

func (p *program) checkCommand() *cobra.Command {
	var file, call string
	var asJSON, schema, offline, providers bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Judge a configuration: each rule, passed or failed, and how to fix it",
		Long: "Check reads the configuration and judges it by every rule. It changes nothing. It looks into the store, if it can be\n" +
			"opened, for its master key and for secrets of the file that have been compromised, and asks the shared state whether\n" +
			"it answers, without which serve does not start. The hosts of redirect URIs are asked about the apps that clients name\n" +
			"in app_links, unless --offline is set. Nothing else is asked: not mail, webhook, upstreams or addresses of keys;\n" +
			"providers that people sign in at only with --providers.\n" +
			"It ends with 0 if no rule fails, 1 if one does, 2 if there is no file. A warning stops nothing: serve starts.",
		Example: "  sallyport check\n  sallyport check -c /etc/sallyport/sallyport.yaml --json\n  sallyport check --explain \"GET /catalog/items/1\"\n  sallyport check --schema > sallyport.schema.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if schema {
				_, err := p.stdout.Write(configSchema())
				return err
			}
			if call != "" {
				return p.explain(file, call, asJSON)
			}
			return p.check(cmd.Context(), file, asJSON, offline, providers)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	cmd.Flags().StringVar(&call, "explain", "", "say instead what applies to a `CALL`, for instance \"GET /catalog/items/1\", and why")
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the hosts of redirect URIs whether they know the app")
	cmd.Flags().BoolVar(&providers, "providers", false, "ask the other providers that people may sign in at for their metadata and keys")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the configuration file instead")
	return cmd
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", defaultConfig, "configuration `FILE`")
}

func (p *program) check(ctx context.Context, file string, asJSON, offline, providers bool) error {
	c, err := readConfig(file, p.env)
	reading := verdict{Rule: readable}
	if unread := (*problemsError)(nil); errors.As(err, &unread) {
		reading.Problems = unread.problems
	} else if err != nil {
		return err
	}
	verdicts := append([]verdict{reading}, validate(c, environment{now: p.now()})...)
	c.askShared(ctx, p.now, verdicts)
	if !offline {
		c.askLinks(ctx, verdicts)
	}
	if providers {
		c.askProviders(ctx, p.now, verdicts)
	}
	verdicts = append(verdicts, c.judgeStored(ctx, p.now)...)
	findings, failed := make([]finding, 0, len(verdicts)), 0
	for _, v := range verdicts {
		f := v.finding(file)
		if f.Result == "fail" {
			failed++
		}
		findings = append(findings, f)
	}
	if asJSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(map[string]any{"file": file, "ok": failed == 0, "findings": findings})
	} else {
		err = printFindings(p.stdout, file, findings, failed)
	}
	if err == nil && failed > 0 {
		err = refuse(errSaid)
	}
	return err
}

func (v verdict) finding(file string) finding {
	f := finding{Rule: v.Rule.ID, What: v.Rule.What, Result: "pass", Evidence: []string{}}
	if v.Unjudged {
		f.Result = notJudged
		return f
	}
	for _, p := range v.Problems {
		f.Result = "fail"
		f.Evidence = append(f.Evidence, p.in(file))
	}
	for _, p := range v.Warnings {
		if f.Result == "fail" {
			f.Warnings = append(f.Warnings, p.in(file))
			continue
		}
		f.Result = "warn"
		f.Evidence = append(f.Evidence, p.in(file))
	}
	if f.Result != "pass" {
		f.Fix = v.Rule.Fix
	}
	return f
}

func printFindings(w io.Writer, file string, findings []finding, failed int) error {
	unjudged := ""
	for i, f := range findings {
		if f.Result == notJudged {
			unjudged = fmt.Sprintf(", %d not judged", len(findings)-i)
			break // all that follow are like it
		}
		fmt.Fprintf(w, "%-4s %s  %s\n", f.Result, f.Rule, f.What)
		for _, e := range f.Evidence {
			fmt.Fprintf(w, "       %s\n", e)
		}
		for _, e := range f.Warnings {
			fmt.Fprintf(w, "       only a warning: %s\n", e)
		}
		if f.Fix != "" {
			fmt.Fprintf(w, "       fix: %s\n", f.Fix)
		}
	}
	_, err := fmt.Fprintf(w, "%s: %d rules, %d failed%s\n", file, len(findings), failed, unjudged)
	return err
}
