// Package faults is the fault table: what is done to the real thing (servers,
// networks, processes, files), what the compiled runbook said and did then,
// and what it left behind.
//
//	go test ./dbtasks/internal/faults -run Fault -v
//
// prints it; DBTASKS_FAULT_TABLE=<file> writes it as Markdown too.
package faults
