// LATHE_TRY: take the value out of a Result or return its error.
#pragma once

#include <utility>

#include <lathe/error.h>

#define LATHE_CONCAT_INNER(a, b) a##b
#define LATHE_CONCAT(a, b) LATHE_CONCAT_INNER(a, b)

/// `LATHE_TRY(auto source, render(spec));` declares `source`, or returns the error.
#define LATHE_TRY(declaration, expression) \
  LATHE_TRY_INNER(LATHE_CONCAT(lathe_result_, __LINE__), declaration, expression)
#define LATHE_TRY_INNER(result, declaration, expression) \
  auto result = (expression);                            \
  if (!result) return std::move(result).error();         \
  declaration = *std::move(result)

/// The same for Result<void>.
#define LATHE_CHECK(expression)                            \
  do {                                                     \
    if (auto lathe_status = (expression); !lathe_status) { \
      return std::move(lathe_status).error();              \
    }                                                      \
  } while (false)
