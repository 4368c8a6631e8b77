package cli

import (
	"fmt"
	"strings"
)

// Shells are those that Completion knows.
var Shells = []string{"bash", "zsh", "fish"}

// Completion is the script that completes a program's targets and flags in a
// shell; it is written to a file that the shell reads, or sourced:
// source <(dbtasks completion bash). ok is false for an unknown shell.
func Completion(shell, program string) (script string, ok bool) {
	switch shell {
	case "bash":
		return bash(program), true
	case "zsh":
		return zsh(program), true
	case "fish":
		return fish(program), true
	}
	return "", false
}

// words are a target's flags as they are typed: "-force", "-idle=".
func (t Target) words() (list []string) {
	for _, f := range t.Flags {
		word := "-" + strings.ToLower(f.Name)
		if f.Type != "bool" {
			word += "="
		}
		list = append(list, word)
	}
	return list
}

func identifier(program string) string {
	return "_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(program)) + "_targets"
}

// bash breaks words at colons: what stands before the last one is put in front
// of the word that is completed, and taken from the answers again.
func bash(program string) string {
	var names []string
	var cases strings.Builder
	for _, t := range Targets {
		names = append(names, t.Name)
		if words := t.words(); len(words) > 0 {
			fmt.Fprintf(&cases, "      %s) words=%q ;;\n", t.Name, strings.Join(words, " "))
		}
	}
	return fmt.Sprintf(`# Completion of %[1]s's targets and flags for bash.
%[2]s() {
  local line=${COMP_LINE:0:COMP_POINT} word words target= each
  word=${line##*[[:space:]]}
  for each in ${line%%"$word"}; do
    [[ $each == -* ]] || target=$each
  done
  words=%[3]q
  if [[ $word == -* ]]; then
    words=
    case $target in
%[4]s    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${word%%"${word##*:}"}"}")
  fi
  [[ ${#COMPREPLY[@]} -ne 1 || $COMPREPLY != *= ]] || compopt -o nospace 2>/dev/null
}
complete -F %[2]s %[1]s
`, program, identifier(program), strings.Join(names, " "), cases.String())
}

func zsh(program string) string {
	quote := strings.NewReplacer("'", `'\''`, ":", `\:`).Replace
	var names, cases strings.Builder
	for _, t := range Targets {
		fmt.Fprintf(&names, "    '%s:%s'\n", quote(t.Name), strings.ReplaceAll(t.Synopsis, "'", `'\''`))
		if len(t.Flags) == 0 {
			continue
		}
		fmt.Fprintf(&cases, "      %s) flags=(\n", t.Name)
		for i, word := range t.words() {
			fmt.Fprintf(&cases, "        '%s:%s'\n", quote(word), strings.ReplaceAll(t.Flags[i].Help, "'", `'\''`))
		}
		cases.WriteString("      ) ;;\n")
	}
	return fmt.Sprintf(`#compdef %[1]s
# Completion of %[1]s's targets and flags for zsh.
%[2]s() {
  local -a targets flags
  local target= each
  targets=(
%[3]s  )
  for each in ${words[2,CURRENT-1]}; do
    [[ $each == -* ]] || target=$each
  done
  if [[ $PREFIX == -* ]]; then
    case $target in
%[4]s    esac
    _describe flag flags -S ''
  else
    _describe target targets
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then %[2]s "$@"; else compdef %[2]s %[1]s; fi
`, program, identifier(program), names.String(), cases.String())
}

func fish(program string) string {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %[1]s's targets and flags for fish.\ncomplete -c %[1]s -f\n", program)
	for _, t := range Targets {
		fmt.Fprintf(&b, "complete -c %s -a %s -d %s\n", program, t.Name, quote(t.Synopsis))
		for i, f := range t.Flags {
			value := ""
			if f.Type != "bool" {
				value = " -r"
			}
			fmt.Fprintf(&b, "complete -c %s -n '__fish_seen_subcommand_from %s' -o %s%s -d %s\n", program, t.Name, strings.ToLower(f.Name), value, quote(t.Flags[i].Help))
		}
	}
	return b.String()
}
