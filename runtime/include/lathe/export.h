// LATHE_API marks the symbols that a shared build exports; everything else in the library is hidden.
#pragma once

#if defined(LATHE_STATIC)
#define LATHE_API
#else
#define LATHE_API __attribute__((visibility("default")))
#endif
