package runbook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// A gate for CI: it fails where a test run has left sessions behind.
func ExampleRunbook_Pool() {
	gate := func(ctx context.Context) error {
		rb, err := runbook.Open(".")
		if err != nil {
			return err
		}
		defer rb.Close()
		pool, err := rb.Pool(ctx)
		if err != nil {
			return err
		}
		left := 0
		const others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
		if err := pool.QueryRow(ctx, others).Scan(&left); err != nil {
			return err
		}
		if left > 0 {
			return fmt.Errorf("%d sessions are left", left)
		}
		return nil
	}
	fmt.Println("gate:", gate(context.Background()))
}

// A cleanup that shows its plan and asks before it ends anything.
func ExampleRunbook_Cleanup() {
	ctx := context.Background()
	rb, err := runbook.Open(".")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rb.Close()
	plan, err := rb.Cleanup(ctx, runbook.CleanupOptions{Dry: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("end %d sessions? ", len(plan.Plan))
	if answer, _ := bufio.NewReader(os.Stdin).ReadString('\n'); !strings.HasPrefix(answer, "y") {
		fmt.Println("nothing was ended")
		return
	}
	done, err := rb.Cleanup(ctx, runbook.CleanupOptions{})
	fmt.Println(done.Ended, "ended,", err)
}

// A hook before tests: there must be a slot for each worker.
func ExampleRunbook_Test() {
	ctx := context.Background()
	rb, err := runbook.OpenWith(".", runbook.OpenOptions{Tests: true, Progress: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rb.Close()
	report, err := rb.Test(ctx, runbook.TestOptions{Wait: 10 * time.Second})
	var f *runbook.Failure
	if errors.As(err, &f) {
		fmt.Println(f.Message, "Next:", f.Next)
		os.Exit(f.ExitStatus())
	}
	const workers = 4
	fmt.Println("enough:", report.Free >= workers)
}

// A monitor in ten lines.
func ExampleRunbook_Monitor() {
	rb, err := runbook.Open(".")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rb.Close()
	report, err := rb.Monitor(context.Background(), runbook.MonitorOptions{Every: 100 * time.Millisecond, For: time.Second}, func(s runbook.MonitorSample) {
		fmt.Println(s.OK, s.Sessions, "sessions")
	})
	fmt.Println("peak", report.Peak, err)
}
