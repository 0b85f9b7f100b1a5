"""Prints a line for each RTCP receiver report that reaches the interface of its one argument over UDP."""

import socket
import struct
import sys

RECEIVER_REPORT, UDP = 201, 17
IPV4, IPV6, ALL = 0x0800, 0x86DD, 0x0003

with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL)) as wire:
    wire.bind((sys.argv[1], 0))
    print("ready", flush=True)
    while True:
        data, (_, protocol, kind, *_) = wire.recvfrom(65535)
        if kind == socket.PACKET_OUTGOING:
            continue
        begin = {IPV4: (data[0] & 15) * 4, IPV6: 40}.get(protocol)
        carries = {IPV4: data[9], IPV6: data[6]}.get(protocol)
        if begin and carries == UDP and len(data) > begin + 9 and data[begin + 9] == RECEIVER_REPORT:
            print("receiver report to port", struct.unpack(">H", data[begin + 2 : begin + 4])[0], flush=True)
