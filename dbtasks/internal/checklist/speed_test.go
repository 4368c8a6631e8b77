package checklist

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// generate writes a project of n files, as long as a usual component. Each
// imports another one; one in ten reaches the client.
func generate(t testing.TB, n int, put func(name, text string)) {
	t.Helper()
	put("package.json", `{"dependencies":{"@prisma/client":"6.1.0"}}`)
	put("src/db.ts", "import { PrismaClient } from '@prisma/client';\nglobalThis.prisma ??= new PrismaClient();\nexport const prisma = globalThis.prisma;\n")
	for i := range n {
		var b strings.Builder
		b.WriteString("import { useState, type FC } from 'react';\n")
		if i%10 == 0 {
			fmt.Fprintf(&b, "import { prisma } from '../db';\nexport const f%d = async (x: number): Promise<number> => (await prisma.user.count()) + x;\n", i)
		} else {
			fmt.Fprintf(&b, "import { f%d } from './m%d';\nexport const f%d = (x: number): number => x + f%d.length;\n", i%10+10*(i/20), i%10+10*(i/20), i, i%10+10*(i/20))
		}
		for j := range 12 {
			fmt.Fprintf(&b, "\nexport const C%d: FC<{ n: number }> = ({ n }) => {\n\tconst [a, set] = useState<number>(n);\n\tconst text = `new PrismaClient() ${a}`;\n\treturn <p onClick={() => set(a + 1)} title=\"x > y\">{text} {[1, 2].map((i) => <b key={i}>{i}</b>)}</p>;\n};\n", j)
		}
		put(fmt.Sprintf("src/mod/m%d.tsx", i), b.String())
	}
}

func TestFiveThousandFilesAreReadWithinThreeSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 5,000 files")
	}
	root := t.TempDir()
	generate(t, 5000, func(name, text string) { write(t, root, name, text) })
	var took time.Duration
	for range 3 { // the machine does other work at the same time
		began := time.Now()
		r := checked(t, root)
		took = time.Since(began)
		if len(r.Clients) != 1 || r.Files != 5001 || len(findingsOf(r, 1)) > 0 {
			t.Fatalf("%d files, clients %v, %q", r.Files, r.Clients, findings(r))
		}
		if took < 3*time.Second {
			t.Logf("%d files in %s", r.Files, took.Round(time.Millisecond))
			return
		}
	}
	t.Errorf("took %s", took)
}
