package release

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// npmName is the package that people name. Each platform's program is a package
// of its own beside it, as esbuild does it: npm installs the one whose os and cpu
// fit, and no script runs at the installation.
const npmName = "@pgrunbook/dbtasks"

// chooser runs the program of the platform that it is on.
//
//go:embed chooser.js
var chooser []byte

// manifest is a package.json.
type manifest struct {
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Description  string            `json:"description"`
	License      string            `json:"license"`
	Bin          map[string]string `json:"bin"`
	OS           []string          `json:"os,omitempty"`
	CPU          []string          `json:"cpu,omitempty"`
	Engines      map[string]string `json:"engines,omitempty"`
	Optional     map[string]string `json:"optionalDependencies,omitempty"`
	PreferUnplug bool              `json:"preferUnplugged,omitempty"` // Yarn keeps packages in archives, from which nothing runs
}

const description = "Emergency runbook for PostgreSQL connections in development: frees a full server, finds who leaks."

func (m *maker) npm(ctx context.Context) error {
	licence, err := os.ReadFile(filepath.Join(m.Root, "LICENSE"))
	if err != nil {
		return err
	}
	all := map[string]string{}
	for _, p := range Platforms {
		all[packageOf(p)] = m.version
	}
	for _, p := range m.Platforms {
		program, err := os.ReadFile(m.binary(p))
		if err != nil {
			return err
		}
		err = m.pack(ctx, manifest{
			Name: packageOf(p), Version: m.version, License: "MIT", Description: fmt.Sprintf("%s The program for %s.", description, p),
			Bin: map[string]string{"dbtasks": "bin/" + p.program()}, OS: []string{p.NodeOS}, CPU: []string{p.NodeCPU}, PreferUnplug: true,
		}, map[string][]byte{"bin/" + p.program(): program, "LICENSE": licence, "LICENSES.txt": m.licences[p]})
		if err != nil {
			return err
		}
	}
	return m.pack(ctx, manifest{
		Name: npmName, Version: m.version, License: "MIT", Description: description,
		Bin: map[string]string{"dbtasks": "bin/dbtasks.js"}, Engines: map[string]string{"node": ">=18"}, Optional: all,
	}, map[string][]byte{"bin/dbtasks.js": chooser, "LICENSE": licence})
}

func packageOf(p Platform) string { return fmt.Sprintf("%s-%s-%s", npmName, p.NodeOS, p.NodeCPU) }

// pack makes a package's archive with npm itself.
func (m *maker) pack(ctx context.Context, about manifest, list map[string][]byte) error {
	text, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Join(m.work, "npm", filepath.FromSlash(about.Name))
	list["package.json"] = append(text, '\n')
	if err := files(dir, list); err != nil {
		return err
	}
	_, err = run(ctx, dir, "npm", "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", m.Out)
	return err
}
