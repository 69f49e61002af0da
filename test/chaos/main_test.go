package chaos_test

import (
	"testing"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
