package pgops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Group is the sessions of one database that share application and state.
type Group struct {
	ApplicationName string `json:"application_name"`
	State           State  `json:"state"`
	Count           int    `json:"count"`
	OldestMS        int64  `json:"oldest_ms"` // the longest that one of them has been in this state; 0 where hidden
}

// Sample counts the client sessions of one database at one moment, the asking
// session left out, and the slots of the whole server, the asking one included.
type Sample struct {
	Time          time.Time `json:"time"` // this machine's clock
	Sessions      int       `json:"sessions"`
	Idle          int       `json:"idle"`
	Active        int       `json:"active"`
	InTransaction int       `json:"idle_in_transaction"`
	Other         int       `json:"other"` // starting, fastpath, hidden from this role, or track_activities is off
	Slots         Slots     `json:"slots"`
	Groups        []Group   `json:"groups"` // most first
}

// TakeSample counts in one statement.
func TakeSample(ctx context.Context, conn *pgx.Conn, database string) (Sample, error) {
	var s Sample
	rows, err := conn.Query(ctx, `
		SELECT pg_catalog.current_setting('max_connections')::int,
			pg_catalog.current_setting('superuser_reserved_connections')::int,
			coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int,
			u.used, coalesce(g.application, ''), coalesce(g.state, ''), coalesce(g.n, 0), coalesce(g.oldest_ms, 0)
		FROM (SELECT pg_catalog.count(*)::int AS used FROM `+activity+` WHERE `+client+`) u
		LEFT JOIN (
			SELECT coalesce(a.application_name, '') AS application,
				coalesce(a.state, CASE WHEN a.backend_type IS NULL THEN 'hidden' ELSE 'starting' END) AS state,
				pg_catalog.count(*)::int AS n,
				(extract(epoch FROM pg_catalog.max(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) coalesce(a.state_change, a.backend_start))) OPERATOR(pg_catalog.*) 1000::numeric)::bigint AS oldest_ms
			FROM `+activity+`
			WHERE `+client+` AND a.datid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) $1::pg_catalog.text)
				AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
			GROUP BY 1, 2) g ON true
		ORDER BY g.n DESC NULLS LAST, g.application, g.state`, execMode(conn), database)
	if err != nil {
		return s, fmt.Errorf("count the sessions: %w", err)
	}
	var g Group
	_, err = pgx.ForEachRow(rows, []any{&s.Slots.Max, &s.Slots.SuperuserReserved, &s.Slots.Reserved, &s.Slots.Used,
		&g.ApplicationName, &g.State, &g.Count, &g.OldestMS}, func() error {
		if g.Count > 0 {
			s.add(g)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("count the sessions: %w", err)
	}
	s.Time = time.Now()
	return s, nil
}

// SampleOf counts in the sessions of the whole server, as Sessions lists them
// through a session of the same server; slots are that server's, and what of
// them is used is counted anew.
func SampleOf(sessions []Session, database string, slots Slots) Sample {
	s := Sample{Time: time.Now(), Slots: slots}
	s.Slots.Used = len(sessions) + 1 // the asking one
	type key struct {
		application string
		state       State
	}
	groups := map[key]Group{}
	for _, one := range sessions {
		if one.Database != database {
			continue
		}
		k := key{one.ApplicationName, one.State}
		g := groups[k]
		groups[k] = Group{ApplicationName: one.ApplicationName, State: one.State, Count: g.Count + 1, OldestMS: max(g.OldestMS, one.AgeMS)}
	}
	for _, g := range groups {
		s.add(g)
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.ApplicationName, b.ApplicationName), cmp.Compare(a.State, b.State))
	})
	return s
}

func (s *Sample) add(g Group) {
	s.Groups = append(s.Groups, g)
	s.Sessions += g.Count
	switch {
	case g.State == StateIdle:
		s.Idle += g.Count
	case g.State == StateActive:
		s.Active += g.Count
	case g.State.InTransaction():
		s.InTransaction += g.Count
	default:
		s.Other += g.Count
	}
}
