#include "codegen/nvrtc_api.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error missing(std::string message, std::string hint) {
  return {.code = ErrorCode::toolchain_missing,
          .stage = Stage::compile,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// The library's names, newest first.
constexpr const char* kNames[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};

/// What the loader finds, newest first; then where toolkits install without telling the loader.
std::vector<std::string> usual_places() {
  std::vector<std::string> toolkits;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/usr/local", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with("cuda-")) toolkits.push_back(entry->path().string());
  }
  std::sort(toolkits.rbegin(), toolkits.rend());
  toolkits.insert(toolkits.begin(), "/usr/local/cuda");
  std::vector<std::string> places(std::begin(kNames), std::end(kNames));
  for (const std::string& toolkit : toolkits) {
    for (const char* name : kNames) {
      if (std::string file = toolkit + "/lib64/" + name; std::filesystem::exists(file, error))
        places.push_back(std::move(file));
    }
  }
  return places;
}

/// A library, or a directory that has one: a toolkit's lib64, or site-packages with NVIDIA's wheels in it.
std::vector<std::string> places_of(const std::string& path) {
  if (path.empty()) return usual_places();
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {path};
  std::vector<std::string> places;
  for (const char* folder : {"", "lib64/", "lib/", "nvidia/cu13/lib/", "nvidia/cuda_nvrtc/lib/"}) {
    for (const char* name : kNames) {
      std::string file = fmt::format("{}/{}{}", path, folder, name);
      if (std::filesystem::exists(file, error)) places.push_back(std::move(file));
    }
  }
  // So that the error names what was looked for.
  if (places.empty()) places.push_back(fmt::format("{}/{}", path, kNames[0]));
  return places;
}

std::string hex_of(const unsigned char* bytes, std::size_t count) {
  return fmt::format("{:02x}", fmt::join(bytes, bytes + count, ""));
}

struct BuildIdSearch {
  ElfW(Addr) base;
  std::string build_id;
};

/// The GNU build id in the notes of one loaded object.
int find_build_id(dl_phdr_info* info, std::size_t, void* data) {
  auto& search = *static_cast<BuildIdSearch*>(data);
  if (info->dlpi_addr != search.base) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* note = reinterpret_cast<const unsigned char*>(info->dlpi_addr + header.p_vaddr);
    const auto* end = note + header.p_memsz;
    while (note + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) head;
      std::memcpy(&head, note, sizeof head);
      const auto* name = note + sizeof head;
      const auto* description = name + (head.n_namesz + 3) / 4 * 4;
      if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        search.build_id = hex_of(description, head.n_descsz);
        return 1;
      }
      note = description + (head.n_descsz + 3) / 4 * 4;
    }
  }
  return 1;
}

/// The build id of a loaded library, or its size where it was linked without one: something that two builds
/// of a version do not share, and that is the same on every machine.
std::string build_id_of(const link_map& map) {
  BuildIdSearch search{map.l_addr, {}};
  ::dl_iterate_phdr(find_build_id, &search);
  if (!search.build_id.empty()) return std::move(search.build_id);
  std::error_code error;
  const auto size = std::filesystem::file_size(map.l_name, error);
  return error ? std::string("no-build-id") : fmt::format("size-{}", size);
}

template <class Function>
void load(void* library, const char* name, Function& function, std::string& absent) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr && absent.empty()) absent = name;
}

Result<std::shared_ptr<const NvrtcApi>> bind(std::shared_ptr<void> library, const std::string& tried) {
  auto api = std::make_shared<NvrtcApi>();
  std::string absent;
  void* handle = library.get();
  load(handle, "nvrtcVersion", api->version, absent);
  load(handle, "nvrtcCreateProgram", api->create_program, absent);
  load(handle, "nvrtcDestroyProgram", api->destroy_program, absent);
  load(handle, "nvrtcCompileProgram", api->compile_program, absent);
  load(handle, "nvrtcGetProgramLogSize", api->get_log_size, absent);
  load(handle, "nvrtcGetProgramLog", api->get_log, absent);
  load(handle, "nvrtcGetPTXSize", api->get_ptx_size, absent);
  load(handle, "nvrtcGetPTX", api->get_ptx, absent);
  load(handle, "nvrtcGetCUBINSize", api->get_cubin_size, absent);
  load(handle, "nvrtcGetCUBIN", api->get_cubin, absent);
  load(handle, "nvrtcGetNumSupportedArchs", api->get_arch_count, absent);
  load(handle, "nvrtcGetSupportedArchs", api->get_archs, absent);
  load(handle, "nvrtcGetErrorString", api->error_text, absent);
  if (!absent.empty()) return missing(fmt::format("{} has no {}", tried, absent), {});
  if (api->version(&api->major, &api->minor) != kNvrtcSuccess || api->major < 12) {
    return missing(fmt::format("{} is NVRTC {}.{}, too old", tried, api->major, api->minor), {});
  }
  if (link_map* map = nullptr; ::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) {
    api->path = map->l_name;
    api->build_id = build_id_of(*map);
  }
  api->library = std::move(library);
  return std::shared_ptr<const NvrtcApi>(std::move(api));
}

}  // namespace

Result<std::shared_ptr<const NvrtcApi>> NvrtcApi::open(const std::string& path) {
  std::vector<std::string> reasons;
  for (const std::string& place : places_of(path)) {
    // Never unloaded: NVRTC leaves memory of its C++ runtime behind each time, and loading it takes 30 ms.
    if (void* handle = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
      auto api = bind(std::shared_ptr<void>(handle, [](void* library) { ::dlclose(library); }), place);
      if (api) return api;
      reasons.push_back(std::move(api.error().message));  // too old: there may be another
    } else {
      const char* reason = ::dlerror();  // begins with the name
      reasons.emplace_back(reason != nullptr ? reason : place);
    }
  }
  return missing(fmt::format("NVRTC was not found: {}", fmt::join(reasons, "; ")),
                 "install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc` and set LATHE_NVRTC to its "
                 "libnvrtc.so.13 or to the site-packages directory; 12.0 or later is needed");
}

}  // namespace lathe::codegen
