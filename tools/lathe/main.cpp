// lathe: the command line program.
#include <csignal>
#include <cstdio>
#include <vector>

#include "tools/lathe/console.h"
#include "tools/lathe/environment.h"
#include "tools/lathe/program.h"

int main(int argc, char* argv[]) {
  // A reader that goes away is noticed when results are written, and told by the exit status.
  std::signal(SIGPIPE, SIG_IGN);
  const lathe::tools::EnvironmentLookup environment = lathe::tools::process_environment();
  const bool no_color = environment("NO_COLOR").has_value();
  lathe::tools::Console console(stdout, stderr, lathe::tools::standard_style(no_color));
  return lathe::tools::run_program(std::vector<std::string>(argv + 1, argv + argc), console, environment);
}
