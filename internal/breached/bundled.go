package breached

import (
	"bytes"
	_ "embed"
	"sync"
)

// MinBundled is the length from which passwords are in the bundled filter, in
// characters: nobody may have a shorter one.
const MinBundled = 8

//go:embed bundled.filter
var bundled []byte

// Bundled is the filter of the passwords in SOURCES.md. It panics if the program
// was built with a damaged one.
var Bundled = sync.OnceValue(func() *Filter {
	f, err := Open(bytes.NewReader(bundled), int64(len(bundled)))
	if err != nil {
		panic(err)
	}
	return f
})
