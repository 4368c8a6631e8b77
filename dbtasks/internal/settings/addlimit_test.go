package settings_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

func TestTheLimitIsAddedBehindTheURLAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, before, after string }{
		{"no parameters", "DATABASE_URL=postgres://a:hunter2@h/d\n", "DATABASE_URL=postgres://a:hunter2@h/d?connection_limit=5\n"},
		{"parameters, quotes, a comment", "A=1\nexport DATABASE_URL=\"postgres://a:hunter2@h/d?schema=x\"  # mine\nB=2", "A=1\nexport DATABASE_URL=\"postgres://a:hunter2@h/d?schema=x&connection_limit=5\"  # mine\nB=2"},
		{"single quotes, Windows' line ends", "DATABASE_URL='postgres://a:hun$ter2@h/d'\r\nB=2\r\n", "DATABASE_URL='postgres://a:hun$ter2@h/d?connection_limit=5'\r\nB=2\r\n"},
		{"a bare question mark", "DATABASE_URL=postgres://h/d?\n", "DATABASE_URL=postgres://h/d?connection_limit=5\n"},
		{"the same in a comment above", "#DATABASE_URL=postgres://h/d\nDATABASE_URL=postgres://h/d\n", "#DATABASE_URL=postgres://h/d\nDATABASE_URL=postgres://h/d?connection_limit=5\n"},
		{"the same in another variable", "DIRECT_URL=postgres://h/d\nDATABASE_URL=postgres://h/d\n", "DIRECT_URL=postgres://h/d\nDATABASE_URL=postgres://h/d?connection_limit=5\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			got, err := settings.AddLimit(".env", []byte(c.before), jsproject.ConnectionLimit)
			if err != nil || !got.Found || string(got.Text) != c.after {
				t.Fatalf("%v\n%q\nwant\n%q", err, got.Text, c.after)
			}
			if strings.Contains(got.Was+got.Write, "hunter2") {
				t.Errorf("the password is shown: %q, %q", got.Was, got.Write)
			}
			again, err := settings.AddLimit(".env", got.Text, jsproject.ConnectionLimit)
			if err != nil || again.Text != nil || !again.Found {
				t.Errorf("a second time: %v, %q", err, again.Text)
			}
		})
	}
}

func TestAURLThatIsPutTogetherGetsTheLineToWriteInstead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"HOST=h\nDATABASE_URL=\"postgres://a:hunter2@${HOST}/d\"\n",
		"DATABASE_URL=\"postgres://a:hunter2@h/d\"\nDATABASE_URL=\"postgres://a:hunter2@\\\nh/d\"\n",
		"B=2\rDATABASE_URL=postgres://a:hunter2@h/d\r",
	} {
		got, err := settings.AddLimit(".env", []byte(text), jsproject.ConnectionLimit)
		if got.Text != nil {
			t.Errorf("%q became %q", text, got.Text)
		}
		var setting *settings.SettingError
		if !errors.Is(err, settings.ErrCantAdd) && !errors.As(err, &setting) {
			t.Errorf("%q: %v", text, err)
		}
		if errors.Is(err, settings.ErrCantAdd) && !strings.Contains(got.Write, "connection_limit=5") || strings.Contains(got.Write, "hunter2") {
			t.Errorf("%q: write %q", text, got.Write)
		}
	}
}

func TestAFileWithoutTheURLIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# DATABASE_URL=postgres://h/d\n", "OTHER=1\n", "DATABASE_URL=\n"} {
		if got, err := settings.AddLimit(".env", []byte(text), jsproject.ConnectionLimit); err != nil || got.Found || got.Text != nil {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	var setting *settings.SettingError
	if _, err := settings.AddLimit(".env", []byte("DATABASE_URL=mysql://h/d\n"), jsproject.ConnectionLimit); !errors.As(err, &setting) {
		t.Errorf("another database: %v", err)
	}
}

func FuzzAddLimitAddsNothingButTheLimit(f *testing.F) {
	for _, seed := range []string{"DATABASE_URL=postgres://h/d\n", "DATABASE_URL='postgres://a:b@h/d?x=y#z'\n", "\ufeffDATABASE_URL=\"postgres://h/d\" # DATABASE_URL=postgres://h/d", "DATABASE_URL: postgres://h/$A\nA=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := settings.AddLimit(".env", []byte(text), jsproject.ConnectionLimit)
		if got.Text == nil {
			return
		}
		at := 0
		for at < len(text) && at < len(got.Text) && text[at] == got.Text[at] {
			at++
		}
		added, rest := strings.CutSuffix(string(got.Text[at:]), text[at:])
		if err != nil || !rest || strings.Trim(added, "?&") != "connection_limit=5" {
			t.Fatalf("%q became %q: %v", text, got.Text, err)
		}
	})
}
