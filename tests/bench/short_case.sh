#!/bin/sh
# short_case.sh LOAD SERVER: whether generator and server understand each other.  Nothing is timed.
set -eu
load=$1
server=$2
directory=$(mktemp -d)
pid=
stop() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    pid=
}
trap 'stop; rm -r "$directory"' EXIT

# Starts the server with the given arguments; sets port.
start() {
    : >"$directory/said"
    "$server" 0 "$@" >"$directory/said" &
    pid=$!
    for _ in $(seq 500); do
        port=$(sed -n 's/^PORT //p' "$directory/said")
        [ -n "$port" ] && return
        sleep 0.01
    done
    echo "$server did not say its port"
    exit 1
}

start echo
"$load" echo "$port" --connections 20 --active 10 --in-flight 4 --requests 200 --greet
"$load" echo "$port" --connections 2 --size 10000 --in-flight 3 --requests 50
"$load" connect "$port" --connections 5 --requests 50
stop
start echo --coalesce
"$load" echo "$port" --connections 20 --in-flight 16 --requests 200
stop
start sink --buffer 1000
"$load" sink "$port" --connections 2 --bytes 100001 --requests 6
"$load" sink "$port" --bytes 0 --requests 3
