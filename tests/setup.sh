# Sourced by tests/run.sh and docs/run.sh: installs what is missing, and builds.  POSIX sh.
# Expects $root, the folder of the project.

# need COMMAND-OR-HEADER PACKAGE ...: notes the packages of what is not here.
missing=
need() {
    case $1 in
    /*) [ -e "$1" ] || missing="$missing $2" ;;
    *) command -v "$1" >/dev/null 2>&1 || missing="$missing $2" ;;
    esac
}

# Installs what need() noted, as root or by sudo, where there is apt-get.
install_missing() {
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install these, or what your system calls them:$missing" >&2
        exit 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Please install these as root: apt-get install$missing" >&2
            exit 1
        fi
        sudo=sudo
    fi
    echo "installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    missing=
}

need_build_tools() {
    need c++ g++
    need meson meson
    need ninja ninja-build
    need pkg-config pkg-config
}

# build FOLDER [MESON OPTION ...]: configures it once, and builds what has changed.
build() {
    folder=$root/$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$root" "$@" || return 1
    fi
    ninja -C "$folder"
}
