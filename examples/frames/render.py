"""Renders one frame of an animation, a disc on its way through the picture, into frame_NNN.png."""
import struct
import sys
import zlib

WIDTH, HEIGHT, RADIUS, FRAMES = 96, 64, 12, 12


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


frame = int(sys.argv[1])
x, y = WIDTH * (frame + 0.5) / FRAMES, HEIGHT / 2
rows = (
    b"\0" + bytes(255 if (i - x) ** 2 + (j - y) ** 2 < RADIUS**2 else 32 for i in range(WIDTH)) for j in range(HEIGHT)
)
with open("frame_%03d.png" % frame, "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n")
    file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(b"".join(rows))))
    file.write(chunk(b"IEND", b""))
