package breached_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/internal/breached"
)

func contains(t *testing.T, password string, filters ...*breached.Filter) bool {
	t.Helper()
	found, err := breached.Filters(filters).Contain(password)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAU02BundledFilter(t *testing.T) {
	t.Parallel()
	f := breached.Bundled()
	if err := f.Verify(); err != nil || f.Keys() < 900_000 {
		t.Fatalf("%d keys, %v", f.Keys(), err)
	}
	for password, want := range map[string]bool{
		"1q2w3e4r5t6y7u8i":    true,
		"qwertyuiopasdfghjkl": true,
		"thisismypassword":    true,
		"THISisMyPassword":    true, // in any case
		"ｔｈｉｓｉｓｍｙｐａｓｓｗｏｒｄ": true, // wide
		"th1s1smyp@ssw0rd":                true, // in disguise
		"thisismypassword ":               false,
		"violet giraffe house boat":       false,
		"seven brown otters juggle":       false,
		"monkey wrenches outlive plumber": false,
	} {
		if got := contains(t, password, f); got != want {
			t.Errorf("%q: %t, want %t", password, got, want)
		}
	}
}

// The rate is stated as 2⁻¹⁶ for each form. The forms here are all the same, so
// 400,000 passwords should give 6.1; more than 20 has a probability of 10⁻⁵, and
// the passwords are always the same ones.
func TestAU02FalsePositiveRate(t *testing.T) {
	t.Parallel()
	const tries = 400_000
	found := 0
	for i := range tries {
		if contains(t, fmt.Sprintf("nobody has %d of these", i*7919), breached.Bundled()) {
			found++
		}
	}
	// Two different forms are looked up: digits are a disguise.
	rate := float64(found) / tries
	t.Logf("%d of %d: %.5f %%, stated %.5f %% a form", found, tries, 100*rate, 100*breached.FalsePositive)
	if want := 2 * breached.FalsePositive * tries; float64(found) > 2.2*want || found == 0 {
		t.Errorf("%d found of %d, want about %.0f", found, tries, want)
	}
}

// build makes a filter of a list, and gives its bytes.
func build(t *testing.T, r breached.Reading, list string, whole bool) ([]byte, breached.Taken) {
	t.Helper()
	b, err := breached.NewBuilder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if !whole {
		b.Split()
	}
	taken, err := r.Read(strings.NewReader(list), b, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "f")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(out, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw, taken
}

func open(t *testing.T, raw []byte) *breached.Filter {
	t.Helper()
	f, err := breached.Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAU02ListsOfAnOperator(t *testing.T) {
	t.Parallel()
	// The first hash is that of "hash of a password", written as Have I Been Pwned does.
	list := "our own secret word\r\nshort\n\n" +
		"C3D6BDE02CAA1FACCB3F0A08D92CD5DD2C589C9C:12\n" +
		strings.Repeat("x", 200_000) + "\n\xff\xfe is not text\n" +
		"0000000000000000000000000000000000000000:3\n" +
		"our own secret word\nlast line without an end"
	for _, whole := range []bool{true, false} {
		raw, taken := build(t, breached.Reading{MinLength: 8, MinCount: 10}, list, whole)
		f := open(t, raw)
		if want := (breached.Taken{Words: 3, Hashes: 1, Left: 5}); taken != want || f.Keys() != 3 || f.Verify() != nil {
			t.Errorf("taken %+v, want %+v; %d keys, %v", taken, want, f.Keys(), f.Verify())
		}
		for password, want := range map[string]bool{
			"our own secret word": true, "Our Own S3cret Word": true, "last line without an end": true,
			"hash of a password": true, "Hash of a password": true, "h4sh of a p@ssword": true, "short": false, "another one altogether": false,
		} {
			if got := contains(t, password, f); got != want {
				t.Errorf("%q: %t, want %t", password, got, want)
			}
		}
	}
}

// What is found does not depend on the number of shards, and every key is found.
func TestEveryKeyIsFound(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 255, 40_000} {
		var list strings.Builder
		for i := range n {
			fmt.Fprintf(&list, "password number %d\n", i)
		}
		for _, whole := range []bool{true, false} {
			raw, _ := build(t, breached.Reading{}, list.String(), whole)
			f := open(t, raw)
			for i := range n {
				if !contains(t, fmt.Sprintf("password number %d", i), f) {
					t.Fatalf("%d of %d is not found, whole = %t", i, n, whole)
				}
			}
		}
	}
}

func TestDamagedFilters(t *testing.T) {
	t.Parallel()
	raw, _ := build(t, breached.Reading{}, "password number one\npassword number two\n", true)
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": raw[:len(raw)-1], "longer": append(bytes.Clone(raw), 0), "only a header": raw[:20],
		"other magic": append([]byte("X"), raw[1:]...), "no shards": patch(raw, 8, 0), "a million shards": patch(raw, 8, 1_000_000),
		"segments of three": patch(raw, 36, 3), "endless segments": patch(raw, 36, 1<<31), "many segments": patch(raw, 40, 1<<31),
	} {
		if _, err := breached.Open(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	if open(t, flipped).Verify() == nil {
		t.Error("a flipped bit is not seen")
	}
}

func patch(raw []byte, at int, v uint32) []byte {
	out := bytes.Clone(raw)
	out[at], out[at+1], out[at+2], out[at+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	return out
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("SPBRCH1\n\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint64(1))
	f.Add(append([]byte("SPBRCH1\n\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x30\x00\x00\x00\x00\x00\x00\x00"+
		"\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 12)...), uint64(1)<<60)
	f.Fuzz(func(t *testing.T, raw []byte, key uint64) {
		filter, err := breached.Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		if _, err := filter.Contains(breached.Key(key)); err != nil {
			t.Errorf("a filter that opens cannot be read: %v", err)
		}
	})
}
