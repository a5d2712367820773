#include <lathe/kernel.h>
