package pgserver

func freeSpace(string) (free int64, known bool) { return 0, false }
