//go:build unix

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// manyFiles writes a project of n modules, each as long as a usual component.
// One in ten imports the client. With all, each of the others imports one of
// these; else they import one another, and none reaches the client.
func manyFiles(b *testing.B, n int, all bool) (root string) {
	b.Helper()
	root = b.TempDir()
	put := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	put("package.json", `{"private":true,"type":"module","dependencies":{"@prisma/client":"6.1.0"}}`)
	put(".gitignore", "node_modules\n")
	put("eslint.config.js", eslintConfig)
	put("src/db.js", "import { PrismaClient } from '@prisma/client';\nglobalThis.prisma ??= new PrismaClient();\nexport const prisma = globalThis.prisma;\n")
	for i := range n {
		var text strings.Builder
		text.WriteString("import { useState } from 'react';\n")
		from := i%10 + i/20*10
		if all {
			from = i / 20 * 10
		} else if from == i {
			from += 10
		}
		if i%10 == 0 {
			fmt.Fprintf(&text, "import { prisma } from '../db';\nexport const f%d = async (x) => (await prisma.user.count()) + x;\n", i)
		} else {
			fmt.Fprintf(&text, "import { f%d } from './m%d';\nexport const f%d = (x) => x + f%d.length;\n", from, from, i, from)
		}
		for j := range 12 {
			fmt.Fprintf(&text, "\nexport const C%d = ({ n }) => {\n\tconst [a, set] = useState(n);\n\tconst text = `new PrismaClient() ${a}`;\n\treturn <p onClick={() => set(a + 1)} title=\"x > y\">{text} {[1, 2].map((i) => <b key={i}>{i}</b>)}</p>;\n};\n", j)
		}
		put(fmt.Sprintf("src/mod/m%d.jsx", i), text.String())
	}
	return root
}

// eslintConfig is the rule that teams write against a second client.
const eslintConfig = `export default [{
	files: ['src/**/*.{js,jsx}'],
	ignores: ['src/db.js'],
	languageOptions: { parserOptions: { ecmaFeatures: { jsx: true } } },
	rules: { 'no-restricted-imports': ['error', { paths: ['@prisma/client'] }] },
}];
`

func checks(b *testing.B) {
	installed(b, "npm")
	b.Run("some", func(b *testing.B) {
		checkBeside(b, "check/some", "500 of which reach the client", manyFiles(b, 5000, false), 0.06)
	})
	b.Run("all", func(b *testing.B) {
		checkBeside(b, "check/all", "each of which reaches the client", manyFiles(b, 5000, true), 0.35)
	})
}

func checkBeside(b *testing.B, name, job, root string, lost float64) {
	b.Helper()
	cmd := exec.Command("npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--legacy-peer-deps", "eslint@9.39.1")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("eslint can't be installed from npm: %v: %s", err, out)
	}
	record(measure(b, pair{
		name: name, job: "look for a second client in 5,000 modules, " + job + " (dev:check checks seven more things)", rounds: 2,
		ours:   command{args: []string{binary(b), "dev:check"}, dir: root, exit: 1}.side("dev:check"),
		theirs: command{args: []string{"node", "node_modules/eslint/bin/eslint.js", "src"}, dir: root}.side("eslint with no-restricted-imports"), aim: 0.2, lost: lost,
		why: "each module that reaches the client is parsed by two parsers (esbuild, then an ECMAScript one), where eslint uses one; tried: modules that no client can reach are not parsed, less garbage collection",
	}))
}
