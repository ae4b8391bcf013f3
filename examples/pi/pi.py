"""Estimates pi for each row of ITEMS, a CSV file with a column `seed`, from random numbers of that seed alone."""
import csv
import random
import sys

POINTS = 2000

with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        generator = random.Random(int(row["seed"]))
        inside = sum(generator.random() ** 2 + generator.random() ** 2 <= 1 for _ in range(POINTS))
        print(4 * inside / POINTS)
