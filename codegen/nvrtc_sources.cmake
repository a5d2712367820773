# Appends to ${sources}.
list(APPEND sources
  cuda_arch.cpp
  nvrtc_api.cpp
  nvrtc_compiler.cpp
  ptxas_report.cpp
)
