package checklist

import (
	"path"
	"strconv"
	"strings"

	"github.com/dop251/goja/ast"
	"mvdan.cc/sh/v3/syntax"
)

// packageFile is package.json as read.
type packageFile struct {
	there       bool
	src         *source
	root        ast.Node
	scripts     []npmScript
	scriptFiles map[string]bool // that a script runs by itself: "tsx prisma/seed.ts"
}

// npmScript is one script, its shell line parsed.
type npmScript struct {
	name, text string
	line       int
	file       *syntax.File // nil: it can't be parsed
}

func readPackageFile(root string) packageFile {
	p := packageFile{scriptFiles: map[string]bool{}}
	content, ok := readFile(root, "package.json")
	if !ok {
		return p
	}
	p.src, p.root = parseJSON(content)
	if p.src == nil {
		return p
	}
	p.there = true
	scripts, _ := get(p.root, "scripts").(*ast.ObjectLiteral)
	if scripts != nil {
		for _, prop := range scripts.Value {
			if keyed, ok := prop.(*ast.PropertyKeyed); ok {
				text, _ := stringOf(keyed.Value)
				p.add(npmScript{name: keyOf(keyed), text: text, line: p.src.line(keyed.Key)})
			}
		}
	}
	if seed := text(p.root, "prisma", "seed"); seed != "" {
		p.runs(parseShell(seed))
	}
	return p
}

func (p *packageFile) add(s npmScript) {
	s.file = parseShell(s.text)
	p.scripts = append(p.scripts, s)
	for _, server := range []string{"dev", "start", "serve", "watch", "preview", "predev", "prestart"} {
		if stem, _, _ := strings.Cut(s.name, ":"); stem == server {
			return // what it runs stays, and is evaluated again
		}
	}
	p.runs(s.file)
}

// runs notes the files that a line runs.
func (p *packageFile) runs(file *syntax.File) {
	for _, call := range commands(file) {
		for _, word := range call {
			if isCode(word) {
				p.scriptFiles[path.Clean(word)] = true
			}
		}
	}
}

// depends tells whether package.json names a package, and its range.
func (p *packageFile) depends(name string) (versions string, ok bool) {
	for _, list := range []string{"dependencies", "devDependencies", "peerDependencies", "optionalDependencies"} {
		if n := get(p.root, list, name); n != nil {
			versions, _ = stringOf(n)
			return versions, true
		}
	}
	return "", false
}

// prismaMajor is the installed major version of @prisma/client: of node_modules
// (a workspace has them further up), else of the lock file, else the one that
// package.json asks for; 0 where none tells.
func prismaMajor(root string, pkg packageFile) int {
	const name = "@prisma/client"
	for _, up := range []string{"", "../", "../../", "../../../"} {
		if content, ok := readFile(root, up+"node_modules/"+name+"/package.json"); ok {
			if _, n := parseJSON(content); n != nil {
				if v := majorOf(text(n, "version")); v > 0 {
					return v
				}
			}
		}
	}
	for _, up := range []string{"", "../", "../../"} {
		if v := lockedMajor(root, up, name); v > 0 {
			return v
		}
	}
	versions, _ := pkg.depends(name)
	return majorOf(versions)
}

// lockedMajor reads the lock files of one folder. pnpm's and yarn's are read
// line by line: YAML and its like, of which one line is wanted.
func lockedMajor(root, up, name string) int {
	if content, ok := readLock(root, up+"package-lock.json"); ok {
		if _, n := parseJSON(content); n != nil {
			if v := majorOf(text(n, "packages", "node_modules/"+name, "version")); v > 0 {
				return v
			}
			if v := majorOf(text(n, "dependencies", name, "version")); v > 0 {
				return v
			}
		}
	}
	if content, ok := readLock(root, up+"pnpm-lock.yaml"); ok {
		for line := range strings.Lines(content) { // '@prisma/client@6.1.0(…)':
			key := strings.Trim(strings.TrimSpace(line), "'/:")
			if rest, ok := strings.CutPrefix(key, name+"@"); ok {
				return majorOf(rest)
			}
		}
	}
	if content, ok := readLock(root, up+"yarn.lock"); ok {
		found := false
		for line := range strings.Lines(content) { // "@prisma/client@^6.0.0":\n  version "6.1.0"
			trimmed := strings.TrimSpace(line)
			if found && strings.HasPrefix(trimmed, "version") {
				return majorOf(strings.TrimPrefix(trimmed, "version"))
			}
			found = strings.HasPrefix(strings.Trim(trimmed, `"`), name+"@") || found && strings.HasPrefix(line, " ")
		}
	}
	return 0
}

// majorOf is the first number of a version or range: "^6.1.0", "npm:…@7.0.0".
func majorOf(version string) int {
	version = version[strings.LastIndexByte(version, '@')+1:]
	digits := strings.TrimLeftFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return 0
	}
	return n
}
