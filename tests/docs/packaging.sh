#!/bin/sh
# packaging.sh ROOT COMPILER: another project uses the library: installed and found by pkg-config,
# from CMake, and as a Meson subproject; as a static and as a shared library.  The folder packaging/
# keeps the builds of the library for the next run.  The installation and the users are made anew.
set -eu
root=$1
export CXX="$2"
mkdir -p packaging
cd packaging
work=$PWD
rm -rf in-static in-shared user-static user-shared cmake-user
unset DESTDIR MESON_BUILD_ROOT MESON_SOURCE_ROOT

# logged COMMAND ...: runs the command, and prints its output where it fails.
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

for kind in static shared; do
    echo "== $kind, installed, with pkg-config"
    configured "$kind" "$root" -Dprograms=false -Ddefault_library=$kind --prefix "$work/in-$kind" \
        --libdir lib
    logged meson install -C "$kind"
    # All headers are in a folder of their own.
    [ "$(ls "in-$kind/include")" = asyncore-cpp ]
    export PKG_CONFIG_PATH="$work/in-$kind/lib/pkgconfig" LD_LIBRARY_PATH="$work/in-$kind/lib"
    # shellcheck disable=SC2046
    $CXX -std=c++20 -fvisibility=hidden user.cpp -o "user-$kind" $(pkg-config --cflags --libs --static asynchat)
    "./user-$kind"
done

echo "== a Meson subproject"
mkdir -p meson-user/subprojects
cp user.cpp meson-user/
ln -sfn "$root" meson-user/subprojects/asyncore-cpp
cat >meson-user/meson.build <<'END'
project('user', 'cpp', default_options : 'cpp_std=c++20')
asynchat = dependency('asynchat', fallback : ['asyncore-cpp', 'asynchat_dep'])
test('user', executable('user', 'user.cpp', dependencies : asynchat))
END
unset PKG_CONFIG_PATH
configured meson-user/build meson-user --wrap-mode=forcefallback
logged meson test -C meson-user/build

if ! command -v cmake >/dev/null; then
    echo "== CMake is not installed, so it is not tried"
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
