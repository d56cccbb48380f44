// Python: Lib/asyncore.py, file_wrapper and file_dispatcher.
#include <asyncore/file_dispatcher.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/file.hpp>

namespace asyncore {

using platform::transfer;

file_wrapper::file_wrapper(int original) : fd(platform::duplicate(original).release()) {}

file_wrapper::~file_wrapper() {
    const platform::unique_fd last(fd);  // which closes it
}

transfer file_wrapper::recv(std::span<char> buffer) { return platform::read_file(fd, buffer); }
transfer file_wrapper::send(std::string_view data) { return platform::write_file(fd, data); }

std::string file_wrapper::recv(std::size_t size) {
    std::string data(size, '\0');
    const auto [count, error] = recv(std::span(data));
    if (error != 0) throw platform::os_error(error, "read");
    data.resize(count);
    return data;
}

int file_wrapper::getsockopt(int level, int option) {
    if (level == SOL_SOCKET && option == SO_ERROR) return 0;
    throw NotImplementedError("Only asyncore specific behaviour implemented.");
}

void file_wrapper::close() {
    if (fd >= 0) platform::close_file(std::exchange(fd, -1));
}

void file_dispatcher::init(int fd, channel_map* map) {
    dispatcher::init({}, map);
    connected = true;
    set_file(fd);
    platform::set_blocking(fd, false);
}

void file_dispatcher::set_file(int fd) {
    dispatcher::set_socket(socket_t(std::make_unique<file_wrapper>(fd)));
}

}  // namespace asyncore
