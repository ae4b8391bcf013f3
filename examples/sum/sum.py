"""Adds up the whole numbers from the first to the last argument, both included."""
import sys

first, last = int(sys.argv[1]), int(sys.argv[2])
total = 0
for number in range(first, last + 1):
    total += number
print(total)
