// The version of the library. CMake reads it from here, so that it stands in one place.
#pragma once

#define LATHE_VERSION_MAJOR 0
#define LATHE_VERSION_MINOR 1
#define LATHE_VERSION_PATCH 0
#define LATHE_VERSION "0.1.0"
