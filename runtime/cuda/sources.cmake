# Appends to ${sources}.
list(APPEND sources
  cuda/cubin.cpp
  cuda/cuda_entry.cpp
  cuda/cuda_executor.cpp
  cuda/cuda_kernel.cpp
  cuda/cuda_memory.cpp
  cuda/driver_error.cpp
  cuda/driver_loader.cpp
  cuda/library_image.cpp
  cuda/scopes.cpp
  cuda/session.cpp
  cuda/stream_work.cpp
  cuda/tensor_map.cpp
)
