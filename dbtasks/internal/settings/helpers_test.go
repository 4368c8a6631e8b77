package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project makes a project's folder with the given files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if files["package.json"] == "" {
		files["package.json"] = `{"dependencies": {"pg": "8"}}`
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads a project with the given .env and environment.
func load(t *testing.T, env string, environ ...string) *Config {
	t.Helper()
	c, err := Load(project(t, map[string]string{".env": env}), environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// database reads a URL as DATABASE_URL of the environment.
func database(t *testing.T, url string) *URL {
	t.Helper()
	u, err := load(t, "", "DATABASE_URL="+url).Database()
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return u
}

// refused reads a URL as DATABASE_URL of line 2 of .env and wants an error.
func refused(t *testing.T, url string) *SettingError {
	t.Helper()
	c := load(t, "# settings\nDATABASE_URL='"+url+"'\n")
	u, err := c.Database()
	if err == nil {
		t.Fatalf("%s is taken: hosts %v", url, u.Hosts)
	}
	e := settingError(t, err)
	if e.Variable != DatabaseURL || e.File != filepath.Join(c.Root, ".env") || e.Line != 2 {
		t.Errorf("%s: the error names %s, %s, line %d", url, e.Variable, e.File, e.Line)
	}
	return e
}

func settingError(t *testing.T, err error) *SettingError {
	t.Helper()
	var e *SettingError
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no SettingError", err, err)
	}
	return e
}

func wantContains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q lacks %q", text, part)
	}
}
