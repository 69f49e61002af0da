package bff

// SafeReturn is safeReturn.
func SafeReturn(s string) bool { return safeReturn(s) }
