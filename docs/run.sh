#!/bin/sh
# Installs what is missing, builds, and starts the HTTP server of docs/examples.
#
#   sh docs/run.sh [--port N] [--root DIR] [--poller NAME]
#
# Without --port it takes a free one; without --root it serves this documentation.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/tests/setup.sh"
need_build_tools
need /usr/include/doctest/doctest.h doctest-dev
install_missing
if [ ! -f "$root/build/build.ninja" ]; then
    meson setup "$root/build" "$root" >/dev/null
fi
ninja -C "$root/build" docs/examples/http_server >/dev/null || ninja -C "$root/build" docs/examples/http_server
case " $* " in
*" --root "*) ;;
*) set -- --root "$root/docs" "$@" ;;
esac
exec "$root/build/docs/examples/http_server" "$@"
