package account

import "cmp"

// What a service remembers of attacks outlives the configuration that it was made
// from (Options.Before), and so does the bound on hashes at once.

func (o *Options) stuffing() *stuffing {
	if o.Before != nil {
		return o.Before.stuffing
	}
	return newStuffing()
}

func (o *Options) hasher() *hasher {
	if o.Before != nil {
		return o.Before.hasher
	}
	return newHasher(o.Params, pepperOf(o.Ring), o.Hash, o.HashesAtOnce, cmp.Or(o.HashesWaiting, defaultQueue))
}
