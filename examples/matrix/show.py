"""Prints a matrix of whole numbers from a file of NumPy's format, without NumPy."""
import ast
import struct
import sys

with open(sys.argv[1], "rb") as file:
    assert file.read(8) == b"\x93NUMPY\x01\x00"
    header = ast.literal_eval(file.read(struct.unpack("<H", file.read(2))[0]).decode())
    rows, columns = header["shape"]
    assert header["descr"] == "<i8" and not header["fortran_order"]
    for _ in range(rows):
        print(*struct.unpack(f"<{columns}q", file.read(8 * columns)))
