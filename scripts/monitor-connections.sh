#!/usr/bin/env bash
# Watches the sessions of this project's database; --once, --for=1m, --json.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/run-target.sh" db:monitor "$@"
