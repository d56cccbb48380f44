#include <asyncore/python/gil.hpp>

#include <unistd.h>

namespace asyncore::python {

void park() noexcept {
    while (true) ::pause();
}

}  // namespace asyncore::python
