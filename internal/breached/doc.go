// Package breached knows passwords that have been in other people's hands,
// without a network: a filter that is bundled, and filters that an operator builds
// from lists of their own. It never says no to a password that is on a list, and
// says yes to one that is not with a probability of 2⁻¹⁶ for each form that is
// looked up. It knows nothing of people. Start at Filter.
package breached
