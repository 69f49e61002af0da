// Package blackbox treats the built binary badly and checks what it promises:
// a kill in the middle of anything loses nothing that was acknowledged, no
// credential is left where somebody could read it, a start that cannot work
// says why in one sentence, and what is printed for people to paste works.
package blackbox
