// A channel whose reading can be paused.  Python: a readable() that looks at a flag, as in waitress.
#pragma once

#include <asyncore/dispatcher.hpp>
#include <asyncore/spawn.hpp>

namespace asyncore {

/// What can be told to read no more for a while.
class pausable_reader {
public:
    /// Reads no more, from the next turn on, until resume_reading_() was called as often.
    virtual void pause_reading_() = 0;
    virtual void resume_reading_() = 0;

protected:
    ~pausable_reader() = default;
};

/// Adds that to a class of channels.  A class that derives from this one, and overrides readable(), asks
/// readable() of this class, too.
///
/// While a channel is paused, its bytes wait in the system, and the peer is told to send no more.  That
/// the peer has closed is found out afterwards, unless the channel writes.
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
    unsigned pauses_ = 0;  // which wait for their resume_reading_()
};

template <class Base>
inline constexpr bool predicates_follow_state<pausable<Base>> = keeps_predicates<Base>;

}  // namespace asyncore
