package pgops

import (
	"reflect"
	"testing"
	"time"
)

// The columns are those of PgBouncer's documentation of the console, of 1.12
// and of 1.24; 1.18 is asked for real in the runbook's tests.
func TestReadBouncerTakesColumnsByNameInAnyVersion(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 10, 0, time.UTC)
	want := PgBouncer{
		MaxClients: 300,
		Databases:  []BouncerDatabase{{Name: "shop", PoolSize: 15, Mode: "transaction", Paused: true}},
		Pools:      []BouncerPool{{Database: "shop", Role: "app", Clients: 7, Waiting: 2, Busy: 3, Connected: 5, Wait: 1500 * time.Millisecond}},
		Clients: []BouncerClient{
			{Database: "shop", Role: "app", State: StateActive, Addr: "127.0.0.1", Port: 50123, Connected: now.Add(-10 * time.Second), Age: 4 * time.Second},
			{Database: "shop", Role: "app", State: StateIdle, PID: 4242},
			{Database: "shop", Role: "app", State: StateWaiting, Addr: "::1", Port: 50124},
		},
		Servers: []BouncerServer{{BackendPID: 99, LocalPort: 50200, InUse: true}, {BackendPID: 100}},
	}
	for version, shown := range map[string][5][]map[string]string{
		"1.12": {
			{{"key": "max_client_conn", "value": "300", "changeable": "yes"}, {"key": "pool_mode", "value": "transaction", "changeable": "yes"}},
			{
				{"name": "pgbouncer", "port": "6432", "pool_size": "2", "pool_mode": "statement", "paused": "0", "disabled": "0"},
				{"name": "shop", "host": "localhost", "pool_size": "15", "reserve_pool": "0", "pool_mode": "", "paused": "1", "disabled": "0"},
			},
			{
				{"database": "pgbouncer", "user": "pgbouncer", "cl_active": "1"},
				{"database": "shop", "user": "app", "cl_active": "7", "cl_waiting": "2", "sv_active": "3", "sv_idle": "1", "sv_used": "1", "sv_tested": "0", "sv_login": "0", "maxwait": "1", "maxwait_us": "500000"},
			},
			{
				{"type": "C", "user": "app", "database": "pgbouncer", "state": "active", "addr": "127.0.0.1", "port": "1"},
				{"type": "C", "user": "app", "database": "shop", "state": "active", "addr": "127.0.0.1", "port": "50123", "connect_time": "2026-11-23 12:00:00 UTC", "request_time": "2026-11-23 12:00:05 UTC", "link": "0x55"},
				{"type": "C", "user": "app", "database": "shop", "state": "active", "addr": "unix", "port": "6432", "link": "", "remote_pid": "4242"},
				{"type": "C", "user": "app", "database": "shop", "state": "waiting", "addr": "::1", "port": "50124", "link": ""},
			},
			{
				{"type": "S", "state": "active", "local_addr": "127.0.0.1", "local_port": "50200", "remote_pid": "99"},
				{"type": "S", "state": "idle", "local_addr": "unix", "local_port": "5432", "remote_pid": "100"},
			},
		},
		"1.24": {
			{{"key": "max_client_conn", "value": "300", "default": "100", "changeable": "yes"}},
			{{"name": "shop", "pool_size": "15", "min_pool_size": "0", "reserve_pool_size": "0", "server_lifetime": "3600", "pool_mode": "transaction", "max_connections": "0", "paused": "1", "disabled": "0"}},
			{{"database": "shop", "user": "app", "cl_active": "7", "cl_waiting": "2", "cl_active_cancel_req": "0", "cl_waiting_cancel_req": "0", "sv_active": "3", "sv_active_cancel": "0", "sv_being_canceled": "0", "sv_idle": "1", "sv_used": "1", "sv_tested": "0", "sv_login": "0", "maxwait": "1", "maxwait_us": "500000", "pool_mode": "transaction", "load_balance_hosts": ""}},
			{
				{"type": "C", "user": "app", "database": "shop", "replication": "none", "state": "active", "addr": "127.0.0.1", "port": "50123", "connect_time": "2026-11-23 12:00:00 UTC", "request_time": "2026-11-23 12:00:05 UTC", "link": "0x55", "prepared_statements": "0", "id": "1"},
				{"type": "C", "user": "app", "database": "shop", "state": "idle", "addr": "unix", "port": "6432", "link": "", "remote_pid": "4242"},
				{"type": "C", "user": "app", "database": "shop", "state": "waiting", "addr": "::1", "port": "50124", "link": ""},
			},
			{
				{"type": "S", "replication": "none", "state": "active_cancel", "local_addr": "127.0.0.1", "local_port": "50200", "remote_pid": "99"},
				{"type": "S", "state": "used", "local_addr": "unix", "local_port": "5432", "remote_pid": "100"},
			},
		},
	} {
		if got := readBouncer(shown, now); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", version, got, want)
		}
	}
}
