/* A libcuda.so.1 that fails in one way, for tests of the probe. Compiled with -DFAULT_<name>; without, it has one GPU
   of compute capability 8.0 and CUDA 12.0, or what -DCAPABILITY=90 and -DCUDA=13000 say. Functions that a probe never
   reaches end the program. */
#include <stdlib.h>
#include <string.h>

int cuInit(unsigned flags) {
    (void)flags;
#if defined(FAULT_STUB)
    return 34; /* CUDA_ERROR_STUB_LIBRARY */
#elif defined(FAULT_NO_DEVICE)
    return 100; /* CUDA_ERROR_NO_DEVICE */
#elif defined(FAULT_MISMATCH)
    return 803; /* CUDA_ERROR_SYSTEM_DRIVER_MISMATCH */
#else
    return 0;
#endif
}

int cuDriverGetVersion(int* version) {
#if defined(FAULT_OLD_DRIVER)
    *version = 11040;
#elif defined(CUDA)
    *version = CUDA;
#else
    *version = 12000;
#endif
    return 0;
}

int cuGetErrorString(int code, const char** text) {
    *text = code == 803 ? "system has unsupported display driver / cuda driver combination" : "some error";
    return 0;
}

int cuDeviceGetCount(int* count) {
#if defined(FAULT_ZERO_DEVICES)
    *count = 0;
#else
    *count = 1;
#endif
    return 0;
}

int cuDeviceGet(int* device, int ordinal) { *device = ordinal; return 0; }

int cuDeviceGetName(char* name, int length, int device) {
    (void)device;
    strncpy(name, "Stub 1000", (size_t)length);
    return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
    (void)device;
#if defined(FAULT_OLD_DEVICE)
    const int major = 7, minor = 5;
#elif defined(CAPABILITY)
    const int major = CAPABILITY / 10, minor = CAPABILITY % 10;
#else
    const int major = 8, minor = 0;
#endif
    *value = attribute == 75 ? major : attribute == 76 ? minor : attribute == 16 ? 108 : 166912;
    return 0;
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) { (void)device; *bytes = (size_t)80 << 30; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int device) { (void)device; *context = (void*)1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return 0; }
int cuCtxPushCurrent_v2(void* context) { (void)context; return 0; }
int cuCtxPopCurrent_v2(void** context) { *context = 0; return 0; }

int cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
#if defined(FAULT_FULL)
    *free_bytes = 1 << 10;
#else
    *free_bytes = (size_t)79 << 30;
#endif
    *total = (size_t)80 << 30;
    return 0;
}

int cuModuleLoadData(void** module, const void* image) {
    (void)module;
    (void)image;
    return 209; /* CUDA_ERROR_NO_BINARY_FOR_GPU */
}

#define UNREACHED(name) \
    int name(void) { abort(); }
UNREACHED(cuMemAlloc_v2)
UNREACHED(cuMemFree_v2)
UNREACHED(cuMemHostAlloc)
UNREACHED(cuMemFreeHost)
UNREACHED(cuMemcpyHtoD_v2)
UNREACHED(cuMemcpyHtoDAsync_v2)
UNREACHED(cuMemcpyDtoHAsync_v2)
UNREACHED(cuMemsetD8_v2)
UNREACHED(cuStreamCreate)
UNREACHED(cuStreamDestroy_v2)
UNREACHED(cuStreamSynchronize)
UNREACHED(cuMemcpyDtoDAsync_v2)
UNREACHED(cuStreamWaitEvent)
UNREACHED(cuEventCreate)
UNREACHED(cuEventDestroy_v2)
UNREACHED(cuEventRecord)
UNREACHED(cuEventSynchronize)
UNREACHED(cuEventElapsedTime)
UNREACHED(cuPointerGetAttributes)
UNREACHED(cuModuleUnload)
UNREACHED(cuModuleGetFunction)
UNREACHED(cuFuncSetAttribute)
UNREACHED(cuGraphCreate)
UNREACHED(cuGraphDestroy)
UNREACHED(cuGraphAddKernelNode)
UNREACHED(cuGraphInstantiateWithFlags)
UNREACHED(cuGraphExecKernelNodeSetParams)
UNREACHED(cuGraphLaunch)
#if !defined(FAULT_INCOMPLETE)
UNREACHED(cuGraphExecDestroy)
#endif
