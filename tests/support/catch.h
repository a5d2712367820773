// Catch2 2.13 and 3 put their headers in different places and spell matchers differently; tests include this
// instead.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
