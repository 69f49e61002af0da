package breached

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line of a list that is read; longer ones are left out.
const maxLine = 64 << 10

// Reading says what to take from a list.
type Reading struct {
	MinLength int    // words shorter than that are left out, in characters
	MinCount  uint64 // hashes that were seen less often are left out, where the list says how often
}

// Taken counts the lines of a list.
type Taken struct {
	Words, Hashes, Left int
}

// Read adds a list to b. A line is a word, or a SHA-1 hash in hexadecimal digits
// with or without a colon and how often it was seen, which is what the downloads of
// Have I Been Pwned have. progress, if it is not nil, is told how many bytes have
// been read.
func (r Reading) Read(list io.Reader, b *Builder, progress func(bytes int64)) (Taken, error) {
	var t Taken
	var read int64
	in := bufio.NewReaderSize(list, maxLine)
	for {
		line, tooLong, err := in.ReadLine()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return t, fmt.Errorf("read list: %w", err)
		}
		read += int64(len(line)) + 1
		for tooLong && err == nil {
			line = line[:0]
			_, tooLong, err = in.ReadLine()
		}
		if err := r.line(string(line), b, &t); err != nil {
			return t, err
		}
		if progress != nil {
			progress(read)
		}
	}
}

func (r Reading) line(line string, b *Builder, t *Taken) error {
	line = strings.TrimSuffix(line, "\r")
	if key, count, ok := hashLine(line); ok {
		if count < r.MinCount {
			t.Left++
			return nil
		}
		t.Hashes++
		return b.Add(key)
	}
	if line == "" || !utf8.ValidString(line) || utf8.RuneCountInString(line) < r.MinLength {
		t.Left++
		return nil
	}
	t.Words++
	return b.Add(Listed(line))
}

// hashLine reads 40 hexadecimal digits, and :count behind them. A hash without a
// count was seen often enough.
func hashLine(line string) (k Key, count uint64, ok bool) {
	digits, times, counted := strings.Cut(line, ":")
	if len(digits) != 40 {
		return 0, 0, false
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return 0, 0, false
	}
	count = ^uint64(0)
	if counted {
		if count, err = strconv.ParseUint(strings.TrimSpace(times), 10, 64); err != nil {
			return 0, 0, false
		}
	}
	return Key(binary.BigEndian.Uint64(raw)), count, true
}
