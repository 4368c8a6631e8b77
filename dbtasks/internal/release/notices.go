package release

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)`)

// notices are the licences of the modules in a program, which ask for their
// texts to be handed on, and of Go's standard library.
func notices(ctx context.Context, root, binary string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the modules of %s: %w", binary, err)
	}
	var b bytes.Buffer
	add := func(module, dir string) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		found := false
		for _, e := range entries {
			if !licenceFile.MatchString(e.Name()) || e.IsDir() {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "==== %s (%s)\n\n%s\n\n", module, e.Name(), bytes.TrimSpace(text))
			found = true
		}
		if !found {
			return fmt.Errorf("%s has no licence file", module)
		}
		return nil
	}
	goroot, err := run(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := add("Go's standard library "+info.GoVersion, strings.TrimSpace(string(goroot))); err != nil {
		return nil, err
	}
	for _, dep := range info.Deps {
		if dep.Sum == "" {
			continue // this module
		}
		out, err := run(ctx, root, "go", "mod", "download", "-json", dep.Path+"@"+dep.Version)
		if err != nil {
			return nil, err
		}
		var where struct{ Dir string }
		if err := json.Unmarshal(out, &where); err != nil {
			return nil, err
		}
		if err := add(dep.Path+" "+dep.Version, where.Dir); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
