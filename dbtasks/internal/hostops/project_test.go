package hostops

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestAFolderBesideTheProjectIsNotUnderIt(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "shop")
	for _, dir := range []string{root, filepath.Join(root, "apps", "web"), root + "2"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(filepath.Dir(root), "link")
	if err := os.Symlink(filepath.Join(root, "apps"), link); err != nil {
		t.Skip(err)
	}
	outside := filepath.Join(root, "elsewhere")
	if err := os.Symlink(root+"2", outside); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{
		root: true, filepath.Join(root, "apps", "web"): true, link: true,
		root + "2": false, filepath.Dir(root): false, outside: false, "/": false,
	} {
		if got := Under(dir, root); got != want {
			t.Errorf("Under(%s): %v, want %v", dir, got, want)
		}
	}
	if Under(root, "/") {
		t.Error("everything is under /, and nothing is its project")
	}
}

func TestLoopbackIsLocalAndATestNetworkIsNot(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true, "192.0.2.1": false, "2001:db8::1": false} {
		if got := LocalAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
