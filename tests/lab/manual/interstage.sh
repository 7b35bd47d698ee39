# What the manual's procedures need beside our commands: two hosts, and the commands that start and stop Interstage.
# Sourced by the scripts beside it; runs in a folder of its own, with our commands first on PATH.
set -euo pipefail

declare -A server=()

# install HOST ADDRESS: a node's folder, and a working directory.
install() {
    mkdir -p "$1/node/etc" "$1/lists"
    printf 'IIOP_hostname = %s\nIIOP_port = 8002\niiopkit_profile = interstage\n' "$2" > "$1/node/etc/config"
    printf '%s vhost\n' "$2" > "$1/hosts"
}

# on HOST: let the commands that follow run there, in its working directory.
on() {
    host=$1
    export OD_HOME=$root/$1/node IIOP_HOSTS=$root/$1/hosts
    cd "$root/$1/lists"
}

isstart() {
    rm -f "$OD_HOME/ready"
    nstool serve --node "$OD_HOME" --ready-file "$OD_HOME/ready" 2>> "$OD_HOME/log" &
    server[$host]=$!
    until [ -s "$OD_HOME/ready" ]; do
        kill -0 "${server[$host]}" || { cat "$OD_HOME/log" >&2; exit 1; }
        sleep 0.05
    done
}

# isstop -f
isstop() {
    kill "${server[$host]}"
    wait "${server[$host]}"
    unset "server[$host]"
}

stop_all() {
    for pid in "${server[@]}"; do kill "$pid"; wait "$pid" || true; done
}

step() { echo "== $*"; }
fail() { echo "$*" >&2; exit 1; }

root=$PWD
trap stop_all EXIT
