"""Turns off what lets an interface merge packets or leave their checksums open.

Without offloads the kernel hands over every packet by itself and complete, so that captures and
cables see what a wire would carry. A program of its own: it must run inside the namespace.

    python3 offloads.py INTERFACE
"""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, _SSG, _STSO, _SUFO, _SGSO, _SGRO of linux/ethtool.h
COMMANDS = (0x17, 0x19, 0x1F, 0x22, 0x24, 0x2C)


def disable(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in COMMANDS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError:
                pass  # this kernel does not know that one


if __name__ == "__main__":
    disable(sys.argv[1])
