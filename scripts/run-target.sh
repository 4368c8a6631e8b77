#!/usr/bin/env bash
# Runs one target of the runbook for the project that this folder lies in:
#   scripts/run-target.sh db:cleanup --force
# It takes bin/dbtasks when that is there, else "go tool mage" (of magefiles/,
# where that is a module of its own), else an installed mage. In the runbook's own
# repository bin/dbtasks has to be no older than its sources, where Go is there to
# make a new one; git sets new times at every switch of a branch.
# Flags may be written the way npm scripts write them: --force, --dry, --idle=5m.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

target=${1:?usage: run-target.sh <target> [--flag[=value] …]}
shift
flags=()
for arg in "$@"; do
  case $arg in
    --?*) flags+=("-${arg#--}") ;;
    -?*) flags+=("$arg") ;;
    *)
      echo "run-target.sh: \"$arg\" is no flag: flags are written --name or --name=value; nothing was touched." >&2
      exit 2
      ;;
  esac
done

stale() {
  [ -d dbtasks ] || return 1 # a project has no sources of it
  local sources=()
  for path in dbtasks magefiles go.mod go.sum; do
    [ -e "$path" ] && sources+=("$path")
  done
  [ -n "$(find "${sources[@]}" -newer bin/dbtasks -print -quit)" ]
}

compiling() {
  echo "run-target.sh: through Go, which compiles first where that is new: a minute or more" >&2
}

old=
if [ -x bin/dbtasks ]; then
  if ! stale; then
    exec bin/dbtasks "$target" ${flags[@]+"${flags[@]}"}
  fi
  old=bin/dbtasks
fi
if command -v go >/dev/null && [ -f go.mod ] && go tool -n mage >/dev/null 2>&1; then
  compiling
  exec go tool mage "$target" ${flags[@]+"${flags[@]}"}
elif command -v go >/dev/null && [ -f magefiles/go.mod ] && go -C magefiles tool -n mage >/dev/null 2>&1; then
  compiling
  export DBTASKS_PROGRAM=scripts/run-target.sh # how next commands are written
  exec go -C magefiles tool mage -d . -w .. "$target" ${flags[@]+"${flags[@]}"}
elif command -v mage >/dev/null; then
  exec mage "$target" ${flags[@]+"${flags[@]}"}
elif [ -n "$old" ]; then
  echo "run-target.sh: bin/dbtasks is older than its sources, and there is no Go to make a new one: taking the old one" >&2
  exec "$old" "$target" ${flags[@]+"${flags[@]}"}
fi
echo "run-target.sh: neither bin/dbtasks, nor Go with this project's module, nor mage is here. Build bin/dbtasks once where Go is (go tool mage build), or let dev:init of such a build put it here." >&2
exit 1
