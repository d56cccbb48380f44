// The stand-in for <sys/event.h> on a system that has none.  Layout and names as the manual pages
// of macOS and OpenBSD have them (FreeBSD's has no EVFILT_EXCEPT); the numbers are our own.
#pragma once
#pragma GCC system_header  // a struct and a function of one name: as everywhere, no warning

#include <stdint.h>
#include <time.h>

// clang-format off
struct kevent {
    uintptr_t ident;   // a descriptor
    int16_t   filter;
    uint16_t  flags;
    uint32_t  fflags;
    intptr_t  data;
    void*     udata;   // passed through unchanged
};

// Filters.
#define EVFILT_READ   (-1)
#define EVFILT_WRITE  (-2)
#define EVFILT_EXCEPT (-3)

// What to do with one.
#define EV_ADD      0x0001
#define EV_DELETE   0x0002
#define EV_ENABLE   0x0004
#define EV_DISABLE  0x0008
#define EV_ONESHOT  0x0010
#define EV_CLEAR    0x0020  // the stand-in refuses it
#define EV_RECEIPT  0x0040
#define EV_DISPATCH 0x0080

// What came back.
#define EV_ERROR    0x4000
#define EV_EOF      0x8000

#define NOTE_LOWAT  0x0001  // of EVFILT_READ and EVFILT_WRITE; the stand-in takes 1 only
#define NOTE_OOB    0x0002  // of EVFILT_EXCEPT

#define EV_SET(entry, ident_, filter_, flags_, fflags_, data_, udata_)                             \
    do {                                                                                           \
        struct kevent* set_ = (entry);                                                             \
        set_->ident = (ident_);                                                                    \
        set_->filter = (filter_);                                                                  \
        set_->flags = (flags_);                                                                    \
        set_->fflags = (fflags_);                                                                  \
        set_->data = (data_);                                                                      \
        set_->udata = (udata_);                                                                    \
    } while (0)
// clang-format on

extern "C" {
int kqueue(void);
int kevent(int kq, const struct kevent* changelist, int nchanges, struct kevent* eventlist,
           int nevents, const struct timespec* timeout);
}
