"""Counts the digits of the whole numbers from START up to, not including, STOP."""
import sys
from collections import Counter

start, stop = map(int, sys.argv[1:])
counts = Counter(digit for number in range(start, stop) for digit in str(number))
for digit, count in sorted(counts.items()):
    print(digit, count)
