package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/breached"
)

// common are the words that most guessed passwords are made of, in the length
// that we ask for mostly doubled or with digits behind them. It is the offline
// start of the blocklist of NIST SP 800-63B-4 §3.1.1.2; the filter of breached
// passwords, which is much longer, comes on top of it.
var common = strings.Fields(`
	correcthorsebatterystaple passwordpassword iloveyouforever thequickbrownfox maytheforcebewithyou
	administrator changemenow supersecret mypassword passphrase passwort password kennwort contrasena motdepasse
	qwertyuiop qwertzuiop azertyuiop asdfghjkl yxcvbnm zxcvbnm qwerty qwertz azerty qazwsx wsxedc asdfgh zxcvbn 1q2w3e4r 1qaz2wsx
	abcdefgh abc123 abcd1234 letmein welcome default changeme iloveyou sunshine princess superman batman pokemon starwars
	football baseball basketball liverpool chelsea arsenal monkey dragon master shadow michael jordan jennifer hunter
	trustno1 whatever freedom computer internet secret login admin root user guest test demo hello access
	summer winter spring autumn january february monday friday hallo schatz london berlin
	sallyport gateway oauth openid`)

// enough is how many letters must be left when the guessable parts are taken
// out, so that "Password123456!" is refused and a sentence with a common word
// in it is not.
const enough = 6

// guessable reports whether password is among the first that an attacker
// would try. The whole password decides, not that a word is in it.
func guessable(password string, context []string) bool {
	s := breached.Fold(password)
	if monotonous(s) {
		return true
	}
	words := slices.Clone(common)
	for _, c := range context {
		c = breached.Fold(c)
		words = append(words, c)
		words = append(words, strings.FieldsFunc(c, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return utf8.RuneCountInString(w) < 3 })
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // the longest first
	return leaves(s, words) || leaves(breached.Plain(s), words)
}

// leaves reports whether s had some of words in it and has next to nothing
// left without them.
func leaves(s string, words []string) bool {
	rest := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("-_.,", r) {
			return -1
		}
		return r
	}, s)
	before := len(rest)
	for _, w := range words {
		rest = strings.ReplaceAll(rest, w, "")
	}
	letters := 0
	for _, r := range rest {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return len(rest) < before && letters < enough
}

// monotonous: hardly any different characters, or a run like 1234567890123.
func monotonous(s string) bool {
	runes := []rune(s)
	different := map[rune]bool{}
	steps := map[rune]int{}
	for i, r := range runes {
		different[r] = true
		if i > 0 {
			steps[r-runes[i-1]]++
		}
	}
	most := max(steps[0], steps[1], steps[-1])
	return len(different) < 5 || most >= len(runes)*3/4
}
