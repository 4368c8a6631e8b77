// Tries one driver with one URL: 12 queries at once, each telling its backend's
// pid. Prints {"connections": N} or {"error": "…"}.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-pg/pg/v10"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/uptrace/bun/driver/pgdriver"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const text = "select pg_backend_pid() from pg_sleep(0.15)"

type query func(ctx context.Context) (pid int, err error)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	q, err := open(ctx, os.Args[1], os.Args[2])
	if err == nil {
		var n int
		if n, err = atOnce(ctx, q, os.Args[1]); err == nil {
			fmt.Printf("{\"connections\": %d}\n", n)
			return
		}
	}
	line, _ := json.Marshal(map[string]string{"error": err.Error()})
	fmt.Println(string(line))
}

func atOnce(ctx context.Context, q query, driver string) (int, error) {
	n := 12
	if driver == "pgx" { // one connection, one query at a time
		n = 1
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	pids, failed := map[int]bool{}, error(nil)
	for range n {
		wg.Go(func() {
			pid, err := q(ctx)
			mu.Lock()
			defer mu.Unlock()
			if pids[pid] = true; err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	return len(pids), failed
}

func open(ctx context.Context, driver, url string) (query, error) {
	overSQL := func(db *sql.DB, err error) (query, error) {
		return func(ctx context.Context) (pid int, err error) {
			return pid, db.QueryRowContext(ctx, text).Scan(&pid)
		}, err
	}
	switch driver {
	case "pgxpool":
		pool, err := pgxpool.New(ctx, url)
		return func(ctx context.Context) (pid int, err error) {
			return pid, pool.QueryRow(ctx, text).Scan(&pid)
		}, err
	case "pgx":
		conn, err := pgx.Connect(ctx, url)
		return func(ctx context.Context) (pid int, err error) {
			return pid, conn.QueryRow(ctx, text).Scan(&pid)
		}, err
	case "database/sql with pgx":
		return overSQL(sql.Open("pgx", url))
	case "database/sql with lib/pq":
		return overSQL(sql.Open("postgres", url))
	case "GORM":
		db, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
		if err != nil {
			return nil, err
		}
		return overSQL(db.DB())
	case "bun's pgdriver":
		var db *sql.DB
		err := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			db = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url)))
			return nil
		}()
		return overSQL(db, err)
	case "go-pg":
		o, err := pg.ParseURL(url)
		if err != nil {
			return nil, err
		}
		db := pg.Connect(o)
		return func(ctx context.Context) (pid int, err error) {
			_, err = db.QueryOneContext(ctx, pg.Scan(&pid), text)
			return pid, err
		}, nil
	}
	return nil, fmt.Errorf("no driver %q", driver)
}
