package main

import _ "embed"

// The descriptions of the demo APIs, which the gateway of dev holds calls to.
var (
	//go:embed dev_catalog.openapi.yaml
	devCatalogDocument []byte
	//go:embed dev_payments.openapi.yaml
	devPaymentsDocument []byte
)

const (
	devCatalogFile  = "catalog.openapi.yaml"
	devPaymentsFile = "payments.openapi.yaml"
)

// writeDocuments puts them beside the configuration, which names them.
func (d *dev) writeDocuments() error {
	for name, text := range map[string][]byte{devCatalogFile: devCatalogDocument, devPaymentsFile: devPaymentsDocument} {
		if err := replaceFile(d.state.file(name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
