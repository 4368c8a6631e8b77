#!/usr/bin/env bash
# The whole emergency procedure; --dry prints the plan, --start=false leaves the dev server off.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/run-target.sh" dev:recover "$@"
