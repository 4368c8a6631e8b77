package pgserver

import (
	"slices"
	"strings"
)

// The names of the ways, in the order of the table.
const (
	WayCommand        = "command" // DBTASKS_RESTART_COMMAND
	WayContainer      = "container"
	WayService        = "service" // Windows
	WaySupervisord    = "supervisord"
	WayProcessCompose = "process-compose"
	WayOvermind       = "overmind"
	WayPM2            = "pm2"
	WaySystemd        = "systemd"
	WayBrew           = "brew"
	WayCluster        = "pg_ctlcluster"
	WayPgCtl          = "pg_ctl"
)

// way is one row: how to tell that a server is run so, and the words that
// restart it and start it again. NAME in the words stands for the name that
// the detector found.
type way struct {
	name    string
	told    func(Subject) (found, bool, error)
	restart []string
	back    [][]string
	log     []string // what shows its messages, after the client or logBy
	logBy   string   // the program that shows them, where it is not the client
	folder  bool     // the client finds its server through the folder that it is called from
}

// ways are asked in this order. Whoever is the server's parent decides, so
// programs that start it again by themselves come before systemd, of which
// they may be a unit, and pg_ctl comes last: it fits every server that nothing
// supervises. A parent that is none of these is an error of theirs
// (toldUnknown): pg_ctl behind a supervisor's back looks to it like a crash.
//
// Sources: docker(1), supervisorctl's and process-compose's own help,
// https://github.com/DarthSim/overmind, https://pm2.keymetrics.io/docs,
// systemctl(1), brew(1), pg_ctlcluster(1),
// https://www.postgresql.org/docs/current/app-pg-ctl.html.
var ways []way

func init() { // not a literal: the detectors read it
	ways = []way{
		{name: WayContainer, told: toldContainer, restart: []string{"restart", "-t", containerPatience, "NAME"}, back: [][]string{{"start", "NAME"}}, log: []string{"logs", "--tail", "50", "NAME"}},
		{name: WayService, told: toldService, restart: []string{"Restart-Service -Force -ErrorAction Stop -Name 'NAME'"}, back: [][]string{{"Start-Service -ErrorAction Stop -Name 'NAME'"}}},
		{name: WaySupervisord, told: toldSupervisord, restart: []string{"restart", "NAME"}, back: [][]string{{"start", "NAME"}}, log: []string{"tail", "NAME", "stderr"}},
		{name: WayProcessCompose, told: toldProcessCompose, restart: []string{"process", "restart", "NAME"}, back: [][]string{{"process", "start", "NAME"}}, log: []string{"process", "logs", "NAME", "--tail", "50"}},
		{name: WayOvermind, told: toldOvermind, restart: []string{"restart", "NAME"}, back: [][]string{{"restart", "NAME"}}, log: []string{"connect", "NAME"}, folder: true},
		{name: WayPM2, told: toldPM2, restart: []string{"restart", "NAME"}, back: [][]string{{"restart", "NAME"}}, log: []string{"logs", "NAME", "--nostream", "--lines", "50"}},
		{name: WaySystemd, told: toldSystemd, restart: []string{"restart", "NAME"}, back: [][]string{{"reset-failed", "NAME"}, {"start", "NAME"}}, log: []string{"-n", "50", "-u", "NAME"}, logBy: "journalctl"},
		{name: WayBrew, told: toldBrew, restart: []string{"services", "restart", "NAME"}, back: [][]string{{"services", "restart", "NAME"}}},
		{name: "other supervisor", told: toldUnknown},
		{name: WayCluster, told: toldCluster, restart: []string{"VERSION", "NAME", "restart", "-m", "fast"}, back: [][]string{{"VERSION", "NAME", "start"}}},
		{name: WayPgCtl, told: toldPgCtl, restart: []string{"restart", "-m", "fast", "OPTIONS"}, back: [][]string{{"start", "OPTIONS"}}},
	}
}

// found is what a detector tells about one server.
type found struct {
	evidence string
	client   []string            // the program that is told, with what it needs to reach the supervisor
	name     string              // NAME
	shown    string              // what people see instead of the name; "": the name
	words    map[string][]string // what else the words stand for
	dir      string              // folder to run it in; "": ours
	env      []string            // nil: ours
	account  account             // whose it has to be run as; the zero value: ours
	typed    string              // what a person types, where it is not the plan's command
	log      string
	notes    []string
	keeper   keeperOf
}

// named puts the name into a row's words.
func (f found) named(words []string) []string {
	var argv []string
	for _, word := range words {
		if several, ok := f.words[word]; ok {
			argv = append(argv, several...)
			continue
		}
		argv = append(argv, strings.Replace(word, "NAME", f.name, 1))
	}
	return argv
}

func (f found) as() string {
	if f.account.switched {
		return f.account.name
	}
	return ""
}

// logClient is the program that shows the server's messages.
func (f found) logClient(w way) []string {
	if w.logBy == "" {
		return slices.Clone(f.client)
	}
	if slices.Contains(f.client, "--user") {
		return []string{w.logBy, "--user"}
	}
	return []string{w.logBy}
}
