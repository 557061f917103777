#!/bin/sh
# Runs the demo service under a supervisord of its own, until Ctrl-C. Everything it writes is in DEMO_DIR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export DEMO_DIR="${DEMO_DIR:-/tmp/steward-demo}" DEMO_PORT="${DEMO_PORT:-8870}"
mkdir -p "$DEMO_DIR"
command -v supervisord > /dev/null || { echo "supervisord is missing: install the package supervisor" >&2; exit 1; }
exec supervisord -n -c "$here/supervisord.conf"
