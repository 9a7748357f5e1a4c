#!/bin/sh
# Records what the README shows, from a people file of the tests: docs/session.txt, a session on a terminal of 80 columns,
# and docs/report.png, the report of the demo's run. Needs `script` (util-linux), Chromium and a built hardmatch.
#
#   cargo build -p hardmatch && sh docs/record.sh
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
hardmatch=${HARDMATCH:-$root/target/debug/hardmatch}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/nordwind" "$work/bin"
ln -s "$hardmatch" "$work/bin/hardmatch"
PATH=$work/bin:$PATH
NO_COLOR=1 USER=ada
export PATH NO_COLOR USER
unset HARDMATCH_CONFIG HARDMATCH_LOG || true

cd "$work/nordwind"
cp "$root/tests/fixtures/exports/01-german-excel.csv" people.csv
session=$root/docs/session.txt
: > "$session"

# Runs a command on a terminal of 80 columns and keeps what it prints there. Progress is left out: it moves.
run() {
    printf '$ %s\n' "$1" >> "$session"
    script -qec "stty cols 80 rows 50; $1 2>/dev/null" /dev/null < /dev/null > "$work/said" || true
    tr -d '\r' < "$work/said" | sed "s|$work/nordwind|.|g" >> "$session"
    printf '\n' >> "$session"
}
# The hash that the command before named.
hash() {
    sed -n 's/.*hardmatch apply //p' "$work/said" | tr -d '\r'
}

run 'hardmatch init --from people.csv'
run 'hardmatch plan'
run "hardmatch apply $(hash)"
# Karl leaves.
sed -i '/^4713;/s/Aktiv/Ausgetreten/' people.csv
run 'hardmatch sync'
run 'hardmatch explain karl'
run 'hardmatch runs list'

cd "$work"
hardmatch demo --folder demo > /dev/null 2>&1
report=$(hardmatch runs show --html --config demo/hardmatch.toml "$(hardmatch runs list --json --config demo/hardmatch.toml |
    sed -n 's/^ *"run": "\([^"]*\)".*/\1/p' | sed -n 2p)")
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1200,900 \
    --screenshot="$root/docs/report.png" "file://$report" > /dev/null 2>&1
echo "Recorded $session and $root/docs/report.png"
