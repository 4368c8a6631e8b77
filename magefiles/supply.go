//go:build mage

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// govulncheck is pinned as staticcheck is; what it knows is fetched anew.
const govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"

// permissive are the licences that dependencies may have, by words that their
// texts have and others have not. They ask for their text to be handed on.
var permissive = []struct {
	name  string
	words *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License\s+Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?s)Redistributions in binary form must reproduce.*[Nn]either the name`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistributions in binary form must reproduce`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and(/or)? distribute this software`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining`)},
}

// copyleft are words of licences that are none of these, whatever else stands
// beside them.
var copyleft = regexp.MustCompile(`GNU (LESSER |AFFERO )?GENERAL PUBLIC LICENSE|Mozilla Public License|Eclipse Public License`)

// Supply checks what the compiled runbook is made of: that two builds in
// different folders are the same bytes, that every dependency has a permissive
// licence, and, where the data can be had, that none has a known vulnerability.
func Supply(ctx context.Context) error {
	if err := reproducible(ctx); err != nil {
		return err
	}
	if err := Licences(ctx); err != nil {
		return err
	}
	return vulnerabilities(ctx)
}

// Licences builds the runbook and prints the licence of each module in it.
func Licences(ctx context.Context) error {
	if err := Build(ctx); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(filepath.Join("bin", "dbtasks"))
	if err != nil {
		return err
	}
	fmt.Printf("| module | version | licence |\n|---|---|---|\n| Go's standard library | %s | BSD-3-Clause |\n", info.GoVersion)
	var refused []string
	for _, dep := range info.Deps {
		if dep.Sum == "" {
			continue // this module
		}
		name, err := licenceOf(ctx, dep.Path+"@"+dep.Version)
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		fmt.Printf("| %s | %s | %s |\n", dep.Path, dep.Version, name)
	}
	if len(refused) > 0 {
		return errors.New("not known to be permissive:\n" + strings.Join(refused, "\n"))
	}
	return nil
}

func licenceOf(ctx context.Context, module string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", module).Output()
	var where struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &where)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", module, err)
	}
	files, err := filepath.Glob(filepath.Join(where.Dir, "*"))
	if err != nil {
		return "", err
	}
	var names []string
	for _, file := range files {
		if !regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)`).MatchString(filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		name := ""
		for _, l := range permissive {
			if l.words.Match(text) && name == "" {
				name = l.name
			}
		}
		if name == "" || copyleft.Match(text) {
			return "", fmt.Errorf("%s: %s", module, filepath.Base(file))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s: no licence file", module)
	}
	return strings.Join(names, ", "), nil
}

// reproducible builds copies of this folder in two places.
func reproducible(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "dbtasks-supply-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var sums [2][]byte
	for i, folder := range []string{"one", filepath.Join("another place", "two")} {
		source := filepath.Join(dir, folder)
		if err := copyFiles(ctx, source); err != nil {
			return err
		}
		out := filepath.Join(source, "bin", "dbtasks")
		if err := compile(ctx, source, out, "MAGEFILE_CACHE="+filepath.Join(dir, "cache")); err != nil {
			return err
		}
		program, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(program)
		sums[i] = sum[:]
	}
	if !bytes.Equal(sums[0], sums[1]) {
		return fmt.Errorf("two builds in different folders differ: %x and %x", sums[0], sums[1])
	}
	fmt.Printf("reproducible: two builds in different folders are the same, SHA-256 %x\n", sums[0])
	return nil
}

// copyFiles copies what is, or would be, in the repository.
func copyFiles(ctx context.Context, to string) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil { // no repository, or one that git does not trust
		return os.CopyFS(to, os.DirFS("."))
	}
	for name := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted and not committed
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, text, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// vulnerabilities fails for a finding and for nothing else: the data comes
// over the network.
func vulnerabilities(ctx context.Context) error {
	fmt.Println("+ go run", govulncheck, "./...")
	out, err := exec.CommandContext(ctx, "go", "run", govulncheck, "-tags=mage", "./...").CombinedOutput()
	// "go run" has an exit code of its own and prints the program's.
	switch found := bytes.Contains(out, []byte("Vulnerability #")); {
	case err == nil:
		fmt.Println("no known vulnerability")
		return nil
	case found:
		return fmt.Errorf("known vulnerabilities:\n%s", out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "govulncheck: ") {
			lines = []string{line}
		}
	}
	fmt.Println("skipped, vulnerabilities are not looked up:", lines[len(lines)-1])
	return nil
}
