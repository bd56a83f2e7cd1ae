# Shared by the scripts beside it; sourced, not run.
set -euo pipefail
set -o errtrace

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=scripts/$(basename "$0")
current_step="starting"

step() {
  current_step=$*
  printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"
}

die() {
  printf '%s: %s\n' "$name" "$*" >&2
  trap - ERR
  exit 1
}

trap 'die "failed while: $current_step"' ERR
