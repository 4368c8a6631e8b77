//go:build linux

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// spaceFaults are done in a name space of their own for mounts or pids.
var spaceFaults = []fault{
	{name: "full disk: dev:init", inject: scaffold, act: inSpace(onDisk, "dev:init", `find . -name '*.dbtasks-new' | grep . && echo BROKEN`), exit: 1, says: "no space left on device"},
	{name: "full disk: the next dev:init goes on", inject: scaffold, act: inSpace(strings.Replace(onDisk, "64k", "64m", 1)+strings.Replace(filled, "70000", "67000000", 1), "dev:init", `[ $code = 1 ] && rm filler && "$TOOL" dev:init; code=$?`), says: "Wrote "},
	{name: "full disk: a picture", act: inSpace(onDisk+filled, "db:monitor -every=50ms -for=300ms -svg=leak.svg", `ls -A | grep -v '^filler$\|^package.json$' && echo BROKEN`), exit: 1, says: "no space left on device"},
	{name: "full disk: dev:verify", inject: func(s *scene) {
		reloading("")(s)
		s.write(clientFile, clientText+"\n//"+strings.Repeat("x", 4096-len(clientText)-3)) // to the end of its page
	}, act: inSpace(onDisk+filled, "dev:verify", `cmp src/lib/server/db.ts ../copy/src/lib/server/db.ts || echo BROKEN`), exit: 1, says: "no space left on device"},
	{name: "read-only checkout: dev:init", inject: scaffold, act: inSpace(readOnly, "dev:init", ""), exit: 1, says: "read-only file system", after: untouched},
	{name: "read-only checkout: dev:verify", inject: reloading(""), act: inSpace(readOnly, "dev:verify", ""), exit: 1, says: "read-only file system", after: restored},
	{name: "read-only checkout: cleanup", inject: func(s *scene) { s.leak = s.db().Open(2, "leak") }, act: inSpace(readOnly, "db:cleanup", ""), says: "Ended 2 idle sessions", after: freed},
	{name: "a name of three addresses, the last one works", inject: resolving("127.0.0.8", "127.0.0.9", "127.0.0.1"), act: inSpace(ownHosts, "db:test", ""), says: "OK: logged in"},
	{name: "a name of two addresses, the first is silent", inject: func(s *scene) { resolving("127.0.0.7", "127.0.0.1")(s); s.silent(127, 0, 0, 7) }, act: inSpace(ownHosts, "db:test", ""), says: "OK: logged in"},
	{name: "a name of two addresses, one is another machine's: cleanup", inject: func(s *scene) { s.leak = s.db().Open(2, "leak"); resolving("127.0.0.1", "192.0.2.1")(s) }, act: inSpace(ownHosts, "db:cleanup", ""), says: "Ended 2 idle sessions", after: freed},
	// The server is the first address that answers, and that one is this machine's.
	{name: "a name of two addresses, one is another machine's: recover", inject: resolving("127.0.0.1", "192.0.2.1"), act: inSpace(ownHosts, "dev:recover -start=false", ""), says: "Recovered."},
	{name: "a pid is used again between TERM and KILL", inject: func(s *scene) { s.row.target = "dev:stop" }, act: inSpace(reusedPID, "", ""), says: "Stopped 1 process"},
}

// What is done in a name space before the tool runs there; exit 77: it is not
// permitted.
const (
	onDisk   = `cp -a . ../copy && { mount -t tmpfs -o size=64k none "$PWD" || exit 77; } && cd "$PWD" && cp -a ../copy/. . && `
	filled   = `{ head -c 70000 /dev/zero > filler; true; } && `
	readOnly = `{ mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" || exit 77; } && cd "$PWD" && `
	ownHosts = `{ mount --bind ../hosts /etc/hosts || exit 77; } && `

	// The tool waits for a server that ignores TERM; meanwhile that is gone, and
	// another project's server has its pid.
	reusedPID = `
export DBTASKS_ROLE=listen
serve() { "$NODE" server.js > "$1" & }
PORT=$FIRST STUBBORN=1 NOTE=termed serve ../said
first=$!
until grep -q listening ../said; do sleep 0.02; done
DBTASKS_ROLE= "$TOOL" dev:stop -grace=2s &
tool=$!
until [ -e termed ]; do sleep 0.02; done
kill -STOP $tool; kill -9 $first; wait $first
cd ../neighbour
for try in 1 2 3 4 5 6 7 8 9 10; do
	echo $((first - 1)) > /proc/sys/kernel/ns_last_pid || exit 77
	PORT=$SECOND serve ../said2
	second=$!
	[ $second = $first ] && break
	kill -9 $second; wait $second
done
[ $second = $first ] || exit 77
until grep -q listening ../said2; do sleep 0.02; done
kill -CONT $tool; wait $tool; code=$?
kill -9 $second || echo BROKEN: the new process with the old pid was ended
exit $code
`
)

// space is whether this user may make name spaces.
var space struct {
	once sync.Once
	args []string // of unshare
	why  string   // not; empty: yes
}

func inSpace(before, args, after string) func(*scene) outcome {
	return func(s *scene) outcome {
		space.once.Do(func() {
			space.args = []string{"unshare", "--mount", "--pid", "--fork", "--mount-proc"}
			if os.Getuid() != 0 {
				space.args = append(space.args, "--user", "--map-root-user")
			}
			if out, err := exec.Command(space.args[0], append(space.args[1:], "true")...).CombinedOutput(); err != nil {
				space.why = strings.TrimSpace(fmt.Sprint(err, " ", string(out)))
			}
		})
		if space.why != "" {
			s.Skip("no name space of its own: " + space.why)
		}
		if s.row.target == "" {
			s.row.target = args
		}
		runbook, node := programs(s.T)
		cmd, stdout, stderr := s.command()
		cmd.Path, cmd.Args = lookPath("unshare"), slices.Clone(space.args)
		if before != reusedPID {
			cmd.Args = slices.DeleteFunc(cmd.Args, func(a string) bool { return a == "--pid" || a == "--fork" || a == "--mount-proc" })
		}
		cmd.Args = append(cmd.Args, "sh", "-c", before+`"$TOOL" `+args+`; code=$?; `+after+"\nexit $code")
		cmd.Env = append(cmd.Env, "TOOL="+runbook, "NODE="+node, fmt.Sprintf("FIRST=%d", s.ports), fmt.Sprintf("SECOND=%d", s.ports+1))
		o := s.outcome(cmd.Run(), stdout, stderr)
		if o.code == 77 {
			s.Skip("not permitted in a name space: " + o.stderr)
		}
		if strings.Contains(o.stdout, "BROKEN") {
			s.Errorf("afterwards: %s", o)
		}
		return o
	}
}

// resolving has the URL's host be a name of these addresses.
func resolving(addresses ...string) func(*scene) {
	return func(s *scene) {
		var hosts strings.Builder
		for _, a := range addresses {
			fmt.Fprintf(&hosts, "%s db.shop.test\n", a)
		}
		s.must(os.WriteFile(filepath.Join(s.dir, "hosts"), []byte("127.0.0.1 localhost\n"+hosts.String()), 0o644))
		s.host("db.shop.test")
	}
}
