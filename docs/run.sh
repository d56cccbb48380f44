#!/bin/sh
# Installs the packages that are missing, builds, and starts the HTTP server of docs/examples.
#
#   sh docs/run.sh [--port N] [--root DIR] [--poller NAME]
#
# Without --port the server takes a free port; without --root it serves this documentation.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/tests/setup.sh"
need_build_tools
need /usr/include/doctest/doctest.h doctest-dev
install_missing
server=docs/examples/http_server
# A command that fails is repeated, to show its output.
configure build >/dev/null || configure build
ninja -C "$root/build" $server >/dev/null || ninja -C "$root/build" $server
case " $* " in
*" --root "*) ;;
*) set -- --root "$root/docs" "$@" ;;
esac
exec "$root/build/$server" "$@"
