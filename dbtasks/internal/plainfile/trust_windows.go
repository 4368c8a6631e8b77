package plainfile

func trust(string) error { return nil }
