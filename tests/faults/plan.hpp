// Which calls fail.  The environment's FAULTS has one fault or more, with commas between them:
//
//     CLASS:INDEX:WHAT[:HOW]
//
// CLASS is the name of a call ("accept4"; "malloc" stands for every allocation).  INDEX counts the calls of that class, from 1.
// WHAT is
//   an errno's name   the call does nothing and fails ("EMFILE")
//   short=N           the call transfers N bytes at most
//   ready             a wait reports all descriptors as ready for what they are watched for
//   urgent            a wait reports urgent data for all descriptors that are watched for it
//   early             a wait returns 0 at once
// HOW is once (the default), a number of milliseconds for which all calls of the class fail from
// INDEX on, or forever.
#pragma once

#include <cstddef>
#include <cstdint>

namespace faults {

enum class effect { none, error, cut, ready, urgent, early };

struct verdict {
    effect what = effect::none;
    int number = 0;  // the errno, or how many bytes
};

/// What happens to call number `index` of the class `name`.
verdict judge(const char* name, std::size_t length, std::uint64_t index) noexcept;

}  // namespace faults
