#!/bin/sh
# packaging.sh ROOT COMPILER: tries the library as a program uses it: installed and found by pkg-config,
# from CMake, and as a Meson subproject; static and shared.  The folder packaging/ keeps the builds of
# the library for the next run; installed files and programs are made anew.
set -eu
root=$1
export CXX="$2"
mkdir -p packaging
cd packaging
work=$PWD
rm -rf in-* user-* own broken cmake-user
unset DESTDIR MESON_BUILD_ROOT MESON_SOURCE_ROOT

# logged COMMAND ...: shows the output of a command that fails.
logged() {
    "$@" >log 2>&1 || { cat log; exit 1; }
}

# configured FOLDER SOURCE [OPTION ...]: runs meson setup, unless FOLDER is set up.
configured() {
    [ -f "$1/build.ninja" ] || logged meson setup "$@"
}

cat >user.cpp <<'END'
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
// The library sees what the program sets, and the program sees what the library sets.
int main() {
    asynchat::async_chat::default_ac_out_buffer_size = 2;
    asyncore::dispatcher::default_debug = true;
    auto chat = std::make_unique<asynchat::async_chat>();
    chat->push("hello");
    if (chat->producer_fifo.size() != 3 || !chat->debug || !asyncore::socket_map.empty()) return 1;
    const asyncore::alive it(*chat);
    chat.reset();
    return it ? 1 : 0;
}
END

# Two folders that a program may have on its include path: broken/, where each header is an error, and
# own/, with headers of the program.  The library has headers of all these names.
mkdir -p broken/platform own/platform
for header in "$root"/platform/*.hpp; do
    echo '#error "the library includes a header of the program"' >broken/platform/"${header##*/}"
done
echo 'inline const char* own_socket() { return "own"; }' >own/platform/socket.hpp
echo 'inline const char* own_poller() { return "own"; }' >own/platform/poller.hpp
cat >own.cpp <<'END'
#include <asynchat/asynchat.hpp>
#include <platform/poller.hpp>
#include <platform/socket.hpp>
#include <string>
int main() {
    const asyncore::socket_t none;
    return none.fileno() == -1 && own_socket() == std::string(own_poller()) ? 0 : 1;
}
END

for kind in static shared; do
    echo "== $kind, installed, with pkg-config"
    configured "$kind" "$root" -Dprograms=false -Ddefault_library=$kind --prefix "$work/in-$kind" \
        --libdir lib
    logged meson install -C "$kind"
    # The system's include folder gets one folder, with files and no links.
    [ "$(ls "in-$kind/include")" = asyncore-cpp ]
    [ -f "in-$kind/include/asyncore-cpp/asyncore/platform/socket.hpp" ]
    [ -z "$(find "in-$kind/include" -type l)" ]
    export PKG_CONFIG_PATH="$work/in-$kind/lib/pkgconfig" LD_LIBRARY_PATH="$work/in-$kind/lib"
    flags=$(pkg-config --cflags asynchat)
    libs=$(pkg-config --libs --static asynchat)
    # shellcheck disable=SC2086  # flags are words
    {
        $CXX -std=c++20 -fvisibility=hidden user.cpp -o "user-$kind" $flags $libs
        $CXX -std=c++20 user.cpp -o "user-broken-$kind" -Ibroken $flags $libs
        $CXX -std=c++20 own.cpp -o "user-own-$kind" $flags -Iown $libs
    }
    "./user-$kind"
    "./user-broken-$kind"
    "./user-own-$kind"
done

echo "== a Meson subproject"
mkdir -p meson-user/subprojects
rm -rf meson-user/broken meson-user/own
cp -r user.cpp own.cpp broken own meson-user/
ln -sfn "$root" meson-user/subprojects/asyncore-cpp
cat >meson-user/meson.build <<'END'
project('user', 'cpp', default_options : 'cpp_std=c++20')
asynchat = dependency('asynchat', fallback : ['asyncore-cpp', 'asynchat_dep'])
test('user', executable('user', 'user.cpp', dependencies : asynchat))
test('user, broken', executable('user_broken', 'user.cpp', dependencies : asynchat,
    include_directories : 'broken'))
test('user, own', executable('user_own', 'own.cpp', dependencies : asynchat,
    include_directories : 'own'))
END
unset PKG_CONFIG_PATH
configured meson-user/build meson-user --wrap-mode=forcefallback
logged meson test -C meson-user/build

if ! command -v cmake >/dev/null; then
    echo "== CMake is not installed: skipped"
    exit 0
fi
echo "== CMake, through pkg-config"
export PKG_CONFIG_PATH="$work/in-shared/lib/pkgconfig"
mkdir cmake-user
cp user.cpp cmake-user/
cat >cmake-user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.13)
project(user CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(PkgConfig REQUIRED)
pkg_check_modules(asynchat REQUIRED IMPORTED_TARGET asynchat)
add_executable(user user.cpp)
target_link_libraries(user PRIVATE PkgConfig::asynchat)
END
logged cmake -G Ninja -S cmake-user -B cmake-user/build
logged cmake --build cmake-user/build
cmake-user/build/user
