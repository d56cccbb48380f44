// The special problem of a thread_local object with a destructor: it needs memory when a thread first
// uses it, and glibc ends the process where there is none.
#pragma once

namespace asyncore::platform {

/// A function to call when a thread ends.  It lies in that thread's storage, as a constinit
/// thread_local object.
struct thread_exit_call {
    void (*function)();
    thread_exit_call* next = nullptr;  // in the list of this thread
};

/// Has `call.function` called when this thread ends, unless it is the main thread, which ends with
/// the process.  It is called after the destructors of the thread's objects.
/// Returns: false if the system has no memory for that.
bool call_at_thread_exit(thread_exit_call& call) noexcept;

}  // namespace asyncore::platform
