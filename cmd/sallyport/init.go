package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sallyport/internal/secret"
)

//go:embed init.yaml
var initConfig []byte

//go:embed init_mcp.yaml
var initMCP []byte

// presets are the configurations that init can begin with, by name.
var presets = map[string][]byte{"": initConfig, "mcp": initMCP}

func (p *program) initCommand() *cobra.Command {
	var dir, preset string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented sallyport.yaml and a master key",
		Long: "Init writes sallyport.yaml and master.key into a folder. It never overwrites either:\n" +
			"without its master key a database is useless. With --preset mcp the file puts an MCP server behind the gateway.",
		Example: "  sallyport init\n  sallyport init --dir /etc/sallyport\n  sallyport init --preset mcp",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return p.init(dir, preset, asJSON) },
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "existing `FOLDER` to write into")
	cmd.Flags().StringVar(&preset, "preset", "", "what to begin with: mcp, or nothing for a web API")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the names of the files as JSON")
	return cmd
}

func (p *program) init(dir, preset string, asJSON bool) error {
	text, known := presets[preset]
	if !known {
		return fmt.Errorf("there is no preset %q: there is mcp", preset)
	}
	if info, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the folder %s does not exist: make it first", dir)
	} else if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder: choose one with --dir", dir)
	}
	configFile, keyFile := filepath.Join(dir, defaultConfig), filepath.Join(dir, "master.key")
	for _, name := range []string{configFile, keyFile} {
		if _, err := os.Lstat(name); err == nil {
			return refusef("%s is there already, and init overwrites nothing", name)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := writeNew(keyFile, secret.NewHandle(secret.MasterKey).Reveal()+"\n"); err != nil {
		return err
	}
	if err := writeNew(configFile, string(text)); err != nil {
		return errors.Join(err, os.Remove(keyFile))
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(map[string]string{"config": configFile, "master_key": keyFile})
	}
	_, err := fmt.Fprintf(p.stdout, "wrote %s: put your own addresses into it, then run sallyport check\n"+
		"wrote %s: keep a copy of it apart from the database\n", configFile, keyFile)
	return err
}

// writeNew writes a file that only its owner can read, and fails if there is
// one already.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(name))
	}
	return errors.Join(f.Sync(), f.Close())
}
