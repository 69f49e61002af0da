package account_test

import (
	"testing"

	"sallyport/internal/account"
	"sallyport/internal/locale"
)

func TestAU16EveryEventThatIsMailedHasALetter(t *testing.T) {
	for _, k := range account.EventKinds {
		for _, part := range []string{".subject", ".text"} {
			key := "letter." + string(k.Kind) + part
			if k.Mail && locale.Default.Text(key) == key {
				t.Errorf("%s is not written", key)
			}
		}
	}
}
