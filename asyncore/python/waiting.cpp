#include <asyncore/python/waiting.hpp>

#include <asyncore/python/errors.hpp>
#include <asyncore/python/gil.hpp>

namespace asyncore::python {

namespace {

class releasing_poller final : public platform::poller {
public:
    explicit releasing_poller(std::unique_ptr<platform::poller> system)
        : system_(std::move(system)) {}

    void watch(int fd, platform::events interest) override { system_->watch(fd, interest); }
    int fileno() const noexcept override { return system_->fileno(); }
    int highest() const noexcept override { return system_->highest(); }
    std::string_view name() const noexcept override { return system_->name(); }

    bool wait_once(platform::timeout limit, std::vector<platform::ready>& found) override {
        const bool is_over = wait_without_gil(limit, found);
        if (!is_over) checked(PyErr_CheckSignals());
        return is_over;
    }

private:
    bool wait_without_gil(platform::timeout limit, std::vector<platform::ready>& found) {
        const without_gil scope;
        return system_->wait_once(limit, found);
    }

    std::unique_ptr<platform::poller> system_;
};

}  // namespace

std::unique_ptr<platform::poller> make_releasing_poller(std::string_view mechanism) {
    return std::make_unique<releasing_poller>(platform::make_poller(mechanism));
}

}  // namespace asyncore::python
