// Command make makes a release in dist/; "go tool mage release" calls it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/release"
)

func main() {
	err := release.Make(context.Background(), release.Options{Root: ".", Out: "dist", Log: func(line string) { fmt.Println(line) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
