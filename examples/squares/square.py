"""Prints the square of a number."""
import sys

print(int(sys.argv[1]) ** 2)
