// Package wirefuzz holds a server that answers with what a PostgreSQL never
// sends, and the test that no target panics, hangs, prints garbage or ends a
// wrong session before it. What is sent is a real server's answers, changed: so
// each run gets as far as its seed lets it.
//
//	go test ./dbtasks/internal/wirefuzz                          a few dozen runs
//	DBTASKS_WIRE_RUNS=1000 go test -timeout 30m ./dbtasks/internal/wirefuzz
//	DBTASKS_WIRE_SEED=417 go test ./dbtasks/internal/wirefuzz    one run again
package wirefuzz
