package hashworker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"sallyport/internal/passhash"
)

// On the pipes, a text is its length in four bytes and itself. Work is two texts; its
// answer is one byte, 1 if there is a result and 0 if the hash is none, and the result as a text.

const maxText = 64 << 10 // no password and no stored hash is that long

var errTooLong = errors.New("hash worker: too long a text")

func writeTexts(w io.Writer, head []byte, texts ...[]byte) error {
	out := head
	for _, t := range texts {
		if len(t) > maxText {
			return errTooLong
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(t))) //nolint:gosec // bounded above
		out = append(out, t...)
	}
	_, err := w.Write(out)
	return err
}

func readText(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxText {
		return nil, errTooLong
	}
	text := make([]byte, n)
	_, err := io.ReadFull(r, text)
	return text, err
}

// Serve is the life of a worker: it answers work until r ends.
func Serve(r io.Reader, w io.Writer) error {
	in := bufio.NewReader(r)
	for {
		hash, err := readText(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read work: %w", err)
		}
		password, err := readText(in)
		if err != nil {
			return fmt.Errorf("read work: %w", err)
		}
		ok := byte(1)
		answer, err := passhash.Here(passhash.Work{Hash: string(hash), Password: string(password)})
		if err != nil { // ErrHash, the only one
			ok = 0
		}
		if err := writeTexts(w, []byte{ok}, answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}
