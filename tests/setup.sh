# tests/run.sh, docs/run.sh and tests/fuzz/run.sh source this file: it installs packages that are
# missing, and builds.  POSIX sh.  It expects $root, the folder of the project.

# need COMMAND-OR-HEADER PACKAGE: notes the package if the command or the header is missing.
missing=
need() {
    case $1 in
    /*) [ -e "$1" ] || missing="$missing $2" ;;
    *) command -v "$1" >/dev/null 2>&1 || missing="$missing $2" ;;
    esac
}

# Installs the packages that need() noted, as root or by sudo, where there is apt-get.
install_missing() {
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install these packages, or what your system calls them:$missing" >&2
        exit 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Please install these packages as root: apt-get install$missing" >&2
            exit 1
        fi
        sudo=sudo
    fi
    echo "installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086  # one word a package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    missing=
}

need_build_tools() {
    need c++ g++
    need meson meson
    need ninja ninja-build
    need pkg-config pkg-config
}

# Notes the package of clang's sanitizers if clang cannot link a program with them.  clang itself
# must be installed.
need_sanitizers_of_clang() {
    folder=$(mktemp -d)
    echo 'int main() {}' >"$folder/empty.cpp"
    clang++ -fsanitize=address,undefined "$folder/empty.cpp" -o "$folder/empty" 2>/dev/null ||
        missing="$missing libclang-rt-$(clang++ -dumpversion | cut -d . -f 1)-dev"
    rm -r "$folder"
}

# configure FOLDER [MESON OPTION ...]: makes a build folder, if there is none, in which a warning is
# an error.
configure() {
    [ ! -f "$root/$1/build.ninja" ] || return 0
    folder=$root/$1
    shift
    meson setup "$folder" "$root" -Dwerror=true "$@"
}

# build FOLDER [MESON OPTION ...]: configures the folder once, and builds what has changed.
build() {
    configure "$@"
    ninja -C "$root/$1"
}
