"""Prints Rosenbrock's function, a valley that is easy to find and hard to follow, for each row of ITEMS."""
import csv
import sys

with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        x, y = float(row["x"]), float(row["y"])
        print((1 - x) ** 2 + 100 * (y - x**2) ** 2)
