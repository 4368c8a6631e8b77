#!/usr/bin/env bash
# Ends the idle sessions of this project's database; --force: all of its client sessions; --dry: only says what would end.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/run-target.sh" db:cleanup "$@"
