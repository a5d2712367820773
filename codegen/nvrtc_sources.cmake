# Appends to ${sources}.
list(APPEND sources
  nvrtc_api.cpp
  nvrtc_compiler.cpp
  ptxas_report.cpp
)
