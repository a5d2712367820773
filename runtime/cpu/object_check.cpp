#include "runtime/cpu/object_check.h"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/ELF.h>
#include <llvm/Support/Error.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

namespace elf = llvm::ELF;
using Elf = llvm::object::ELF64LE;
using File = llvm::object::ELFFile<Elf>;

/// Kernels are some 10 KB; a section size beyond this is damage, not code.
constexpr std::uint64_t kLargestSection = std::uint64_t{1} << 30;
constexpr std::uint64_t kLargestAlignment = 4096;

Error damaged(std::string what) {
  return {.code = ErrorCode::load_failed,
          .stage = Stage::load,
          .message = "the object file is damaged: " + std::move(what),
          .hint = "it was altered after it was compiled; remove its cache entry and compile again"};
}

Error damaged(llvm::Error failure) {
  return damaged(llvm::toString(std::move(failure)));
}

/// The machine that code of this process is for, as object files number it.
unsigned host_machine() {
  return llvm::Triple(llvm::sys::getProcessTriple()).isX86() ? elf::EM_X86_64 : elf::EM_AARCH64;
}

Result<void> check_header(const File& file) {
  const auto& header = file.getHeader();
  const bool is_format = header.e_ident[elf::EI_CLASS] == elf::ELFCLASS64 &&
                         header.e_ident[elf::EI_DATA] == elf::ELFDATA2LSB && header.e_type == elf::ET_REL;
  if (!is_format || header.e_machine != host_machine()) {
    return Error{.code = ErrorCode::load_failed,
                 .stage = Stage::load,
                 .message = fmt::format(
                     "the binary is not a relocatable 64-bit object file for {} (type {}, machine {})",
                     llvm::sys::getProcessTriple(), static_cast<unsigned>(header.e_type),
                     static_cast<unsigned>(header.e_machine))};
  }
  return {};
}

/// Only what Clang writes for a kernel. Constructors, thread-locals and unwind tables would be acted upon.
bool is_known_type(unsigned type) {
  switch (type) {
    case elf::SHT_NULL:
    case elf::SHT_PROGBITS:
    case elf::SHT_SYMTAB:
    case elf::SHT_STRTAB:
    case elf::SHT_RELA:
    case elf::SHT_NOBITS:
    case elf::SHT_NOTE:
    case elf::SHT_GROUP:
    case elf::SHT_LLVM_LINKER_OPTIONS:
    case elf::SHT_LLVM_ADDRSIG:
      return true;
    default:
      return false;
  }
}

Result<void> check_section(const File& file, const File::Elf_Shdr& section, std::size_t section_count) {
  if (!is_known_type(section.sh_type) || (section.sh_flags & (elf::SHF_TLS | elf::SHF_COMPRESSED)) != 0) {
    return damaged(fmt::format("a section of type {:#x}, flags {:#x}", std::uint32_t{section.sh_type},
                               std::uint64_t{section.sh_flags}));
  }
  const std::uint64_t alignment = section.sh_addralign;
  if (section.sh_size > kLargestSection || section.sh_addr != 0 || alignment > kLargestAlignment ||
      (alignment != 0 && !std::has_single_bit(alignment)) || section.sh_link >= section_count) {
    return damaged(fmt::format("a section of {} bytes, aligned to {}, linked to section {}",
                               std::uint64_t{section.sh_size}, alignment, std::uint32_t{section.sh_link}));
  }
  if (section.sh_type == elf::SHT_NULL || section.sh_type == elf::SHT_NOBITS) return {};
  if (auto contents = file.getSectionContents(section); !contents) return damaged(contents.takeError());
  return {};
}

Result<void> check_symbol(const File::Elf_Sym& symbol, File::Elf_Shdr_Range sections, llvm::StringRef names) {
  if (auto name = symbol.getName(names); !name) return damaged(name.takeError());
  const unsigned index = symbol.st_shndx;
  if (symbol.getType() > elf::STT_FILE || symbol.getBinding() > elf::STB_WEAK)
    return damaged(fmt::format("a symbol of type {}", static_cast<unsigned>(symbol.st_info)));
  if (index == elf::SHN_UNDEF) return {};
  // Absolute symbols are the names of source files.
  if (index == elf::SHN_ABS && symbol.getType() == elf::STT_FILE) return {};
  if (index >= sections.size()) return damaged(fmt::format("a symbol in section {}", index));
  const std::uint64_t size = sections[index].sh_size;
  if (symbol.st_value > size || symbol.st_size > size - symbol.st_value) {
    return damaged(fmt::format("a symbol at {} of {} bytes", std::uint64_t{symbol.st_value}, size));
  }
  return {};
}

Result<void> check_symbols(const File& file, const File::Elf_Shdr& table, File::Elf_Shdr_Range sections) {
  auto symbols = file.symbols(&table);
  if (!symbols) return damaged(symbols.takeError());
  auto names = file.getStringTableForSymtab(table);
  if (!names) return damaged(names.takeError());
  for (const File::Elf_Sym& symbol : *symbols) LATHE_CHECK(check_symbol(symbol, sections, *names));
  return {};
}

bool is_inside(std::uint64_t position, std::uint64_t width, std::uint64_t size) {
  return position <= size && size - position >= width;
}

std::uint64_t width_of(unsigned type) {
  if (host_machine() == elf::EM_AARCH64) {
    return type == elf::R_AARCH64_ABS64 || type == elf::R_AARCH64_PREL64 ? 8 : 4;
  }
  const bool is_wide = type == elf::R_X86_64_64 || type == elf::R_X86_64_PC64 ||
                       type == elf::R_X86_64_GOTOFF64 || type == elf::R_X86_64_GOTPC64 ||
                       type == elf::R_X86_64_GOT64 || type == elf::R_X86_64_GOTPCREL64;
  return is_wide ? 8 : 4;
}

/// A load from the global offset table may become an address computation: the opcode before it changes too.
bool rewrites_instruction(unsigned type) {
  return host_machine() == elf::EM_X86_64 &&
         (type == elf::R_X86_64_GOTPCRELX || type == elf::R_X86_64_REX_GOTPCRELX ||
          type == elf::R_X86_64_GOTPCREL);
}

Result<void> check_relocations(const File& file, const File::Elf_Shdr& section,
                               File::Elf_Shdr_Range sections) {
  if (section.sh_info == 0 || section.sh_info >= sections.size() ||
      sections[section.sh_link].sh_type != elf::SHT_SYMTAB) {
    return damaged(fmt::format("relocations of section {}", std::uint32_t{section.sh_info}));
  }
  const File::Elf_Shdr& target = sections[section.sh_info];
  const std::uint64_t symbol_count = sections[section.sh_link].sh_size / sizeof(File::Elf_Sym);
  if (target.sh_type != elf::SHT_PROGBITS) return damaged("relocations of a section without contents");
  auto relocations = file.relas(section);
  if (!relocations) return damaged(relocations.takeError());
  for (const File::Elf_Rela& relocation : *relocations) {
    const unsigned type = relocation.getType(/*isMips64EL=*/false);
    const std::uint64_t position = relocation.r_offset;
    if (!is_inside(position, width_of(type), target.sh_size) ||
        (rewrites_instruction(type) && position < 3) || relocation.getSymbol(false) >= symbol_count) {
      return damaged(fmt::format("a relocation of type {} at {} of {} bytes, to symbol {} of {}", type,
                                 position, std::uint64_t{target.sh_size}, relocation.getSymbol(false),
                                 symbol_count));
    }
  }
  return {};
}

llvm::Expected<File> open(std::span<const std::byte> object) {
  return File::create(llvm::StringRef(reinterpret_cast<const char*>(object.data()), object.size()));
}

}  // namespace

Result<void> check_object(std::span<const std::byte> object) {
  auto file = open(object);
  if (!file) return damaged(file.takeError());
  LATHE_CHECK(check_header(*file));
  auto sections = file->sections();
  if (!sections) return damaged(sections.takeError());
  for (const File::Elf_Shdr& section : *sections) {
    if (auto name = file->getSectionName(section); !name) return damaged(name.takeError());
    LATHE_CHECK(check_section(*file, section, sections->size()));
  }
  // Only now do sections and what they refer to lie where they say.
  for (const File::Elf_Shdr& section : *sections) {
    if (section.sh_type == elf::SHT_SYMTAB) LATHE_CHECK(check_symbols(*file, section, *sections));
    if (section.sh_type == elf::SHT_RELA) LATHE_CHECK(check_relocations(*file, section, *sections));
  }
  return {};
}

std::vector<std::string> undefined_symbols(std::span<const std::byte> object) {
  std::vector<std::string> undefined;
  const File file = llvm::cantFail(open(object));
  for (const File::Elf_Shdr& section : llvm::cantFail(file.sections())) {
    if (section.sh_type != elf::SHT_SYMTAB) continue;
    const llvm::StringRef names = llvm::cantFail(file.getStringTableForSymtab(section));
    for (const File::Elf_Sym& symbol : llvm::cantFail(file.symbols(&section))) {
      const llvm::StringRef name = llvm::cantFail(symbol.getName(names));
      if (symbol.isUndefined() && !name.empty()) undefined.push_back(name.str());
    }
  }
  return undefined;
}

}  // namespace lathe::runtime
