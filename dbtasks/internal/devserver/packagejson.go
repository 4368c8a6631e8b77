package devserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// packageJSON is what is read of a project's package.json.
type packageJSON struct {
	Name           string            `json:"name"`
	Scripts        map[string]string `json:"scripts"`
	PackageManager string            `json:"packageManager"` // "pnpm@9.1.0+sha512…", Corepack's field
}

// readPackage reads package.json of dir; errors are ErrNoPackageJSON or
// ErrBadPackageJSON.
func readPackage(dir string) (packageJSON, error) {
	var p packageJSON
	file := filepath.Join(dir, "package.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, ErrNoPackageJSON
	}
	if err == nil {
		err = json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &p)
	}
	if err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrBadPackageJSON, file, err)
	}
	return p, nil
}

// lockFiles in the order in which they count where a folder has several and
// package.json names none of their managers.
var lockFiles = []struct{ file, manager string }{
	{"package-lock.json", "npm"},
	{"pnpm-lock.yaml", "pnpm"},
	{"yarn.lock", "yarn"},
	{"bun.lock", "bun"},
	{"bun.lockb", "bun"},
}

// Manager tells the package manager: from the lock file of root or of the
// nearest folder above it within the same git repository (a workspace has its
// lock file at the top), else from packageManager in package.json there, else npm.
func Manager(root string) string {
	folders := upToGit(root)
	declared := make([]string, len(folders))
	for i, dir := range folders {
		if p, err := readPackage(dir); err == nil {
			declared[i] = knownManager(p.PackageManager)
		}
	}
	for i, dir := range folders {
		found := ""
		for _, l := range lockFiles {
			if _, err := os.Stat(filepath.Join(dir, l.file)); err == nil && (found == "" || l.manager == declared[i]) {
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

// upToGit is root and the folders above it up to the one with .git; root alone
// where there is none, so that a stray lock file in a home folder counts for nothing.
func upToGit(root string) []string {
	var folders []string
	for dir := root; ; dir = filepath.Dir(dir) {
		folders = append(folders, dir)
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return folders
		}
		if filepath.Dir(dir) == dir {
			return []string{root}
		}
	}
}
