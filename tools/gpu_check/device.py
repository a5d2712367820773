"""The GPU as its driver sees it, through ctypes: is there one, which, and how fast does it copy."""

import ctypes
import dataclasses
import statistics


class NoDevice(Exception):
    """There is no GPU to check; the text says why."""


@dataclasses.dataclass(frozen=True)
class Device:
    ordinal: int
    name: str  # "NVIDIA H200"
    arch: str  # "sm_90"
    driver: str  # the CUDA version that the driver supports: "13.0"
    processors: int
    l2_bytes: int
    memory_bytes: int


# CUdevice_attribute
_PROCESSORS, _L2_BYTES, _MAJOR, _MINOR = 16, 38, 75, 76


class Driver:
    """libcuda. Raises NoDevice where it or a device is missing, RuntimeError where a call fails."""

    def __init__(self, library="libcuda.so.1"):
        try:
            self._cuda = ctypes.CDLL(library)
        except OSError as error:
            raise NoDevice(f"no NVIDIA driver: {error}") from error
        status = self._cuda.cuInit(0)
        if status != 0:
            raise NoDevice(f"the NVIDIA driver finds no usable GPU: cuInit gives {self._name(status)}")

    def _name(self, status):
        name = ctypes.c_char_p()
        self._cuda.cuGetErrorName(status, ctypes.byref(name))
        return name.value.decode() if name.value else f"error {status}"

    def call(self, function, *arguments):
        status = getattr(self._cuda, function)(*arguments)
        if status != 0:
            raise RuntimeError(f"{function}: {self._name(status)}")

    def number(self, function, *arguments, kind=ctypes.c_int):
        """Calls a function whose first parameter points to its result."""
        value = kind()
        self.call(function, ctypes.byref(value), *arguments)
        return value.value

    def device(self, ordinal):
        count = self.number("cuDeviceGetCount")
        if not 0 <= ordinal < count:
            raise NoDevice(f"there is no GPU {ordinal}: the driver shows {count}")
        handle = self.number("cuDeviceGet", ordinal)

        def attribute(which):
            return self.number("cuDeviceGetAttribute", which, handle)

        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, len(name) - 1, handle)
        version = self.number("cuDriverGetVersion")
        return Device(
            ordinal=ordinal,
            name=name.value.decode(),
            arch=f"sm_{attribute(_MAJOR)}{attribute(_MINOR)}",
            driver=f"{version // 1000}.{version % 1000 // 10}",
            processors=attribute(_PROCESSORS),
            l2_bytes=attribute(_L2_BYTES),
            memory_bytes=self.number("cuDeviceTotalMem_v2", handle, kind=ctypes.c_size_t),
        )


def copy_gb_per_s(driver, device, size=1 << 30, repeats=20):
    """The copy ceiling: bytes read plus bytes written per second of a device-to-device copy, median, in GB/s.

    `size` is far larger than any L2 cache, so that every copy comes from memory.
    """
    pointer, handle = ctypes.c_uint64, ctypes.c_void_p
    context = driver.number("cuDevicePrimaryCtxRetain", driver.number("cuDeviceGet", device.ordinal), kind=handle)
    driver.call("cuCtxPushCurrent_v2", handle(context))
    try:
        source = pointer(driver.number("cuMemAlloc_v2", ctypes.c_size_t(size), kind=pointer))
        target = pointer(driver.number("cuMemAlloc_v2", ctypes.c_size_t(size), kind=pointer))
        start = handle(driver.number("cuEventCreate", 0, kind=handle))
        end = handle(driver.number("cuEventCreate", 0, kind=handle))
        times = []
        for _ in range(repeats + 3):
            driver.call("cuEventRecord", start, None)
            driver.call("cuMemcpyDtoDAsync_v2", target, source, ctypes.c_size_t(size), None)
            driver.call("cuEventRecord", end, None)
            driver.call("cuEventSynchronize", end)
            times.append(driver.number("cuEventElapsedTime", start, end, kind=ctypes.c_float))
        for memory in (source, target):
            driver.call("cuMemFree_v2", memory)
        for event in (start, end):
            driver.call("cuEventDestroy_v2", event)
    finally:
        driver.call("cuCtxPopCurrent_v2", ctypes.byref(handle()))
    return 2 * size / (statistics.median(times[3:]) * 1e-3) / 1e9
