// The special problem of a thread_local object with a destructor: glibc asks for memory when a thread
// first uses such an object, and ends the process if there is no memory.
#pragma once

namespace asyncore::platform {

/// A function to call when a thread ends.  Declare the object `constinit thread_local`: it must live as
/// long as the thread.
struct thread_exit_call {
    void (*function)();
    thread_exit_call* next = nullptr;  // in the list of this thread
};

/// Has `call.function` called when this thread ends, after the destructors of the thread's objects.  In
/// the main thread, which ends with the process, it is not called.
/// Returns: false if the system has no memory for that.
bool call_at_thread_exit(thread_exit_call& call) noexcept;

}  // namespace asyncore::platform
