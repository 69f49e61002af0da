package main

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed dev_spa
var demoPages embed.FS

const devPagesDir = "spa"

// makePages writes the pages of the demo browser app, where the configuration says
// that they are.
func (s *devState) makePages() error {
	pages, err := fs.Sub(demoPages, "dev_spa")
	if err != nil {
		return err
	}
	dir := s.file(devPagesDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := fs.ReadDir(pages, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(pages, e.Name())
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(dir, e.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// spaURL is the origin of the demo browser app: a host name of its own at the port
// of the issuer. Browsers know that it is this machine.
func (d *dev) spaURL() string {
	return strings.Replace(d.issuer, "https://localhost", "https://app.localhost", 1)
}
