"""Counts the words of a text file."""
import re
import sys
from collections import Counter

with open(sys.argv[1], encoding="utf-8") as file:
    counts = Counter(re.findall(r"\w+", file.read().lower()))
for word, count in sorted(counts.items()):
    print(word, count)
