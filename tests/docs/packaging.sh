#!/bin/sh
# packaging.sh ROOT COMPILER: the library as others use it: installed and found by pkg-config, from
# CMake, and as a Meson subproject; static and shared.
set -eu
root=$1
export CXX="$2"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
unset DESTDIR MESON_BUILD_ROOT MESON_SOURCE_ROOT
cd "$work"

cat >user.cpp <<'END'
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
int main() {
    asynchat::async_chat chat;
    chat.push("hello");
    return chat.producer_fifo.size() == 1 && asyncore::socket_map.empty() ? 0 : 1;
}
END

for kind in static shared; do
    echo "== $kind, installed, with pkg-config"
    meson setup "$kind" "$root" -Dprograms=false -Ddefault_library=$kind --prefix "$work/in-$kind" \
        --libdir lib >"$kind.log" 2>&1 || { cat "$kind.log"; exit 1; }
    meson install -C "$kind" >"$kind.log" 2>&1 || { cat "$kind.log"; exit 1; }
    # Nothing of ours lies bare in the system's include folder.
    [ "$(ls "in-$kind/include")" = asyncore-cpp ]
    export PKG_CONFIG_PATH="$work/in-$kind/lib/pkgconfig" LD_LIBRARY_PATH="$work/in-$kind/lib"
    # shellcheck disable=SC2046
    $CXX -std=c++20 user.cpp -o "user-$kind" $(pkg-config --cflags --libs --static asynchat)
    "./user-$kind"
done

echo "== a Meson subproject"
mkdir -p meson-user/subprojects
cp user.cpp meson-user/
ln -s "$root" meson-user/subprojects/asyncore-cpp
cat >meson-user/meson.build <<'END'
project('user', 'cpp', default_options : 'cpp_std=c++20')
asynchat = dependency('asynchat', fallback : ['asyncore-cpp', 'asynchat_dep'])
test('user', executable('user', 'user.cpp', dependencies : asynchat))
END
unset PKG_CONFIG_PATH
meson setup meson-user/build meson-user --wrap-mode=forcefallback >meson.log 2>&1 ||
    { cat meson.log; exit 1; }
meson test -C meson-user/build >meson.log 2>&1 || { cat meson.log; exit 1; }

if ! command -v cmake >/dev/null; then
    echo "== CMake is not installed: not tried"
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
cmake -G Ninja -S cmake-user -B cmake-user/build >cmake.log 2>&1 || { cat cmake.log; exit 1; }
cmake --build cmake-user/build >cmake.log 2>&1 || { cat cmake.log; exit 1; }
cmake-user/build/user
