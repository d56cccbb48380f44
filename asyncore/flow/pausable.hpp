// A channel whose reading can be paused.  Python: a readable() that looks at a flag, as in waitress.
#pragma once

#include <asyncore/dispatcher.hpp>
#include <asyncore/spawn.hpp>

namespace asyncore {

/// A reader that can be paused.
class pausable_reader {
public:
    /// Reads no more, from the next turn on, until resume_reading_() was called as often as this method.
    virtual void pause_reading_() = 0;
    virtual void resume_reading_() = 0;

protected:
    ~pausable_reader() = default;
};

/// Makes a class of channels pausable.  A class that derives from this class, and overrides readable(),
/// must also ask readable() of this class.
///
/// While a channel is paused, its bytes wait in the system, and the system tells the peer to send no
/// more.  A paused channel does not notice that the peer has closed, unless it writes.
template <class Base = dispatcher>
class pausable : public Base, public pausable_reader {
public:
    using Base::Base;

    void pause_reading_() override {
        ++pauses_;
        this->interest_changed_();
    }
    void resume_reading_() override {
        if (pauses_ > 0) --pauses_;
        this->interest_changed_();
    }
    bool is_paused_() const noexcept { return pauses_ > 0; }

    bool readable() override { return pauses_ == 0 && Base::readable(); }

private:
    unsigned pauses_ = 0;  // calls of pause_reading_() without their resume_reading_() yet
};

template <class Base>
inline constexpr bool predicates_follow_state<pausable<Base>> = keeps_predicates<Base>;

}  // namespace asyncore
