package store_test

const childEnv = "SALLYPORT_STORE_CHILD"

func runChild(path string) int { return 0 }
