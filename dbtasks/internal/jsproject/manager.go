package jsproject

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// lockFiles in the order in which they count where a folder has several and
// package.json names none of their managers.
var lockFiles = []struct{ file, manager string }{
	{"package-lock.json", "npm"},
	{"npm-shrinkwrap.json", "npm"},
	{"pnpm-lock.yaml", "pnpm"},
	{"yarn.lock", "yarn"},
	{"bun.lock", "bun"},
	{"bun.lockb", "bun"},
}

// Manager tells the package manager of a folder: from its lock file or that of
// the nearest folder above it within the same git repository (a workspace has
// its lock file at the top), else from packageManager in package.json there,
// else npm. A folder that is Deno's alone has "deno".
func Manager(dir string) string {
	folders := upToGit(dir)
	declared := make([]string, len(folders))
	for i, dir := range folders {
		if p, err := Read(dir); err == nil {
			declared[i] = knownManager(p.PackageManager)
		}
	}
	for i, dir := range folders {
		found := ""
		for _, l := range lockFiles {
			if plainfile.Exists(filepath.Join(dir, l.file)) && (found == "" || l.manager == declared[i]) {
				found = l.manager
			}
		}
		if found != "" {
			return found
		}
	}
	for _, m := range declared {
		if m != "" {
			return m
		}
	}
	if !plainfile.Exists(filepath.Join(dir, "package.json")) && hasDeno(dir) {
		return "deno"
	}
	return "npm"
}

// knownManager is the name of a packageManager field; empty: none that we know.
func knownManager(field string) string {
	name, _, _ := strings.Cut(field, "@")
	switch name {
	case "npm", "pnpm", "yarn", "bun":
		return name
	}
	return ""
}

func hasDeno(dir string) bool {
	return plainfile.Exists(filepath.Join(dir, "deno.json")) || plainfile.Exists(filepath.Join(dir, "deno.jsonc"))
}

// upToGit is dir and the folders above it up to the one with .git; dir alone
// where there is none, so that a stray file in a home folder counts for nothing.
func upToGit(dir string) []string {
	folders, git := upwards(dir)
	if !git {
		return folders[:1]
	}
	return folders
}

// upwards are dir and the folders above it, up to the one with .git, which git
// tells, else without the home folder and the root of the file system. A home
// folder that is a git repository itself (of dotfiles) is no project's.
func upwards(dir string) (folders []string, git bool) {
	home, _ := os.UserHomeDir()
	for at := dir; ; at = filepath.Dir(at) {
		if len(folders) > 0 && (at == home || filepath.Dir(at) == at) {
			return folders, false
		}
		folders = append(folders, at)
		if plainfile.Exists(filepath.Join(at, ".git")) {
			return folders, true
		}
		if filepath.Dir(at) == at {
			return folders, false
		}
	}
}
