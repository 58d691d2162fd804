# Tries: to get past the filter by the system calls of 32-bit programs.
# Statuses: crashed
# Without isolation: nothing filters its calls.
import ctypes
import mmap

CODE = bytes.fromhex("53 b8 66010000 bb 02000000 b9 01000000 31d2 cd80 5b c3".replace(" ", ""))     # socket(2, 1, 0)


def centre(x):
    room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    room.write(CODE)
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(room)))
    if call() >= 0:
        print("LEAK: a socket")
    return x
